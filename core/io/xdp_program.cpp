#include "core/io/xdp_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "core/io/xdp/steer.h"
#include "core/io/xdp/steer_object.h"
#include "core/io/xdp/steer_tags_object.h"

namespace trivet::core {

namespace {

std::string system_error(const std::string& what, int number) { return what + ": " + std::strerror(number); }

trivet_xdp_address key_of(const IpAddress& address) {
  trivet_xdp_address key{};
  const auto& bytes = address.bytes();
  if (address.is_v6()) {
    std::copy_n(bytes.begin(), 16, std::begin(key.bytes));
  } else {
    key.bytes[10] = key.bytes[11] = 0xff;
    std::copy_n(bytes.begin(), 4, std::begin(key.bytes) + 12);
  }
  return key;
}

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;

int program_of(const Object& object) {
  return bpf_program__fd(bpf_object__find_program_by_name(object.get(), "steer"));
}

// `device`: the only interface that the program may run on, in its driver; 0: any, anywhere. Null, with errno: refused.
Object load(std::span<const std::uint8_t> bytes, int device) {
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.object_name = "trivet";
  Object object{bpf_object__open_mem(bytes.data(), bytes.size(), &options)};
  if (object == nullptr) return nullptr;
  if (device != 0) {
    constexpr std::uint32_t bound_to_device = 1U << 6U;  // BPF_F_XDP_DEV_BOUND_ONLY, newer than the system headers
    bpf_program* program = bpf_object__find_program_by_name(object.get(), "steer");
    bpf_program__set_flags(program, bound_to_device);
    bpf_program__set_ifindex(program, static_cast<std::uint32_t>(device));
  }
  if (const int status = bpf_object__load(object.get()); status != 0) {
    object.reset();
    errno = -status;
  }
  return object;
}

// Gives errno and leaves `link` where it fails. A former link is taken apart only some time after its process has
// ended.
int attach_to(int interface_index, const Object& object, std::uint32_t flags, int& link) {
  constexpr int attempts = 10;
  constexpr auto pause = std::chrono::milliseconds{2};
  for (int attempt = 1;; ++attempt) {
    bpf_link_create_opts options{};
    options.sz = sizeof options;
    options.flags = flags;
    const int made = bpf_link_create(program_of(object), interface_index, BPF_XDP, &options);
    if (made >= 0) {
      link = made;
      return 0;
    }
    if (errno != EBUSY || attempt == attempts) return errno;
    std::this_thread::sleep_for(pause);
  }
}

std::string why_refused(int error, std::uint32_t mtu) {
  if (error == EBUSY || error == EEXIST) return "another XDP program is attached: detach it, or use access raw";
  if (error == ERANGE || error == EINVAL) {
    return "the driver takes no XDP program with an MTU of " + std::to_string(mtu) + " (" + std::strerror(error) +
           "): lower the MTU, or use access raw";
  }
  return system_error("cannot attach the XDP program", error);
}

}  // namespace

Result<XdpProgram> XdpProgram::attach(int interface_index, std::uint32_t mtu) {
  libbpf_set_print(nullptr);  // it writes to the terminal otherwise
  int link = -1;
  Object object = load(steer_tags_object, interface_index);
  int error = object != nullptr ? attach_to(interface_index, object, XDP_FLAGS_DRV_MODE, link) : 0;
  if (link >= 0) return XdpProgram{object.release(), link, Hook::driver};
  if (error == EBUSY || error == EEXIST) return fail(why_refused(error, mtu));
  object = load(steer_object, 0);
  if (object == nullptr) return fail(system_error("the kernel refuses the XDP program", errno));
  error = attach_to(interface_index, object, XDP_FLAGS_DRV_MODE, link);
  if (error == 0) return XdpProgram{object.release(), link, Hook::driver};
  if (error == EOPNOTSUPP) {
    error = attach_to(interface_index, object, XDP_FLAGS_SKB_MODE, link);
    if (error == 0) return XdpProgram{object.release(), link, Hook::generic};
  }
  return fail(why_refused(error, mtu));
}

XdpProgram::XdpProgram(XdpProgram&& other) noexcept
    : object_(std::exchange(other.object_, nullptr)),
      link_(std::exchange(other.link_, -1)),
      hook_(other.hook_),
      own_(std::move(other.own_)),
      claims_(std::move(other.claims_)),
      macs_(std::move(other.macs_)) {}

XdpProgram::~XdpProgram() {
  if (link_ >= 0) {
    // Closing alone would detach, too, but on some kernels only some time later.
    static_cast<void>(bpf_link_detach(link_));
    ::close(link_);
  }
  if (object_ != nullptr) bpf_object__close(object_);
}

int XdpProgram::map(const char* name) const { return bpf_object__find_map_fd_by_name(object_, name); }

Result<void> XdpProgram::set_socket(std::uint32_t queue, int socket) {
  if (bpf_map_update_elem(map("sockets"), &queue, &socket, BPF_ANY) != 0) {
    return fail(system_error("cannot steer queue " + std::to_string(queue) + " to its socket", errno));
  }
  return {};
}

void XdpProgram::set_own_addresses(const std::vector<IpAddress>& addresses) {
  std::vector<IpAddress> wanted{addresses.begin(),
                                addresses.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                                                        addresses.size(), TRIVET_XDP_MAX_OWN_ADDRESSES))};
  const int table = map("own_addresses");
  // The former ones first: both may not fit. Until the new ones are in, a frame for a stayed one is still found.
  for (const IpAddress& address : own_) {
    if (std::ranges::find(wanted, address) != wanted.end()) continue;
    const trivet_xdp_address key = key_of(address);
    bpf_map_delete_elem(table, &key);
  }
  for (const IpAddress& address : wanted) {
    const trivet_xdp_address key = key_of(address);
    const std::uint8_t present = 1;
    bpf_map_update_elem(table, &key, &present, BPF_ANY);
  }
  own_ = std::move(wanted);
}

void XdpProgram::set_macs(const std::set<MacAddress>& macs) {
  const auto key_of_mac = [](const MacAddress& mac) {
    trivet_xdp_mac key{};
    std::ranges::copy(mac.bytes, std::begin(key.bytes));
    return key;
  };
  const int table = map("macs");
  for (const MacAddress& mac : macs_) {
    if (macs.contains(mac)) continue;
    const trivet_xdp_mac key = key_of_mac(mac);
    bpf_map_delete_elem(table, &key);
  }
  for (const MacAddress& mac : macs) {
    const trivet_xdp_mac key = key_of_mac(mac);
    const std::uint8_t present = 1;
    bpf_map_update_elem(table, &key, &present, BPF_ANY);
  }
  macs_ = macs;
}

bool XdpProgram::set_claims(const Claims& claims, const std::vector<IpAddress>& system) {
  std::map<IpAddress, std::uint32_t> wanted;
  for (const IpAddress& address : claims.destinations) wanted[address] |= TRIVET_XDP_DESTINATION;
  for (const IpAddress& address : claims.sources) wanted[address] |= TRIVET_XDP_SOURCE;
  for (const IpAddress& address : system) wanted[address] |= TRIVET_XDP_SYSTEM;
  const int table = map("claims");
  for (const auto& [address, bits] : claims_) {
    if (wanted.contains(address)) continue;
    const trivet_xdp_address key = key_of(address);
    bpf_map_delete_elem(table, &key);
  }
  bool done = true;
  for (const auto& [address, bits] : wanted) {
    const trivet_xdp_address key = key_of(address);
    done = bpf_map_update_elem(table, &key, &bits, BPF_ANY) == 0 && done;
  }
  claims_ = std::move(wanted);
  const std::uint32_t only = 0;
  const std::uint32_t bits = TRIVET_XDP_SHARED | (claims.routes ? TRIVET_XDP_ROUTES : 0U);
  return bpf_map_update_elem(map("settings"), &only, &bits, BPF_ANY) == 0 && done;
}

}  // namespace trivet::core
