#include "core/io/xdp_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/io/xdp/steer.h"
#include "core/io/xdp/steer_object.h"

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

}  // namespace

Result<XdpProgram> XdpProgram::load() {
  libbpf_set_print(nullptr);  // it writes to the terminal otherwise
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "trivet");
  bpf_object* object = bpf_object__open_mem(steer_object.data(), steer_object.size(), &options);
  if (object == nullptr) return fail(system_error("cannot read the XDP program", errno));
  if (const int status = bpf_object__load(object); status != 0) {
    bpf_object__close(object);
    return fail(system_error("the kernel refuses the XDP program", -status));
  }
  return XdpProgram{object};
}

XdpProgram::XdpProgram(XdpProgram&& other) noexcept
    : object_(std::exchange(other.object_, nullptr)),
      link_(std::exchange(other.link_, -1)),
      own_(std::move(other.own_)) {}

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

Result<XdpProgram::Hook> XdpProgram::attach(int interface_index, std::uint32_t mtu) {
  const int program = bpf_program__fd(bpf_object__find_program_by_name(object_, "steer"));
  const auto attach_at = [&](std::uint32_t flags) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    link_ = bpf_link_create(program, interface_index, BPF_XDP, &options);
    return link_ >= 0 ? 0 : errno;
  };
  int error = attach_at(XDP_FLAGS_DRV_MODE);
  if (error == 0) return Hook::driver;
  if (error == EOPNOTSUPP) {
    error = attach_at(XDP_FLAGS_SKB_MODE);
    if (error == 0) return Hook::generic;
  }
  if (error == EBUSY || error == EEXIST) return fail("another XDP program is attached: detach it, or use access raw");
  if (error == ERANGE || error == EINVAL) {
    return fail("the driver takes no XDP program with an MTU of " + std::to_string(mtu) + " (" + std::strerror(error) +
                "): lower the MTU, or use access raw");
  }
  return fail(system_error("cannot attach the XDP program", error));
}

}  // namespace trivet::core
