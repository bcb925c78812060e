#include "core/io/ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/io/file_descriptor.h"

namespace trivet::core {

namespace {

ifreq request_for(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  return request;
}

FileDescriptor any_socket() { return FileDescriptor{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}; }

// Calls whose answer has a list behind a header of this type.
template <class Header>
class ListCall {
 public:
  ListCall(std::uint32_t command, std::size_t list_bytes)
      : storage_((sizeof(Header) + list_bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t)) {
    (*this)->cmd = command;
  }
  Header* operator->() { return reinterpret_cast<Header*>(storage_.data()); }
  Header& operator*() { return *operator->(); }
  [[nodiscard]] const std::uint8_t* list() const {
    return reinterpret_cast<const std::uint8_t*>(storage_.data()) + sizeof(Header);
  }

 private:
  std::vector<std::uint64_t> storage_;
};

template <class Command>
bool call(const std::string& interface, Command& command) {
  const FileDescriptor socket = any_socket();
  ifreq request = request_for(interface);
  request.ifr_data = reinterpret_cast<char*>(&command);
  return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

std::uint32_t feature_count(const std::string& interface) {
  ListCall<ethtool_sset_info> sizes{ETHTOOL_GSSET_INFO, sizeof(std::uint32_t)};
  sizes->sset_mask = std::uint64_t{1} << unsigned{ETH_SS_FEATURES};
  if (!call(interface, *sizes) || sizes->sset_mask == 0) return 0;
  std::uint32_t count = 0;
  std::memcpy(&count, sizes.list(), sizeof count);
  return count;
}

}  // namespace

std::string driver_name(const std::string& interface) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  return call(interface, info) ? std::string{info.driver, ::strnlen(info.driver, sizeof info.driver)} : "unknown";
}

std::uint32_t receive_queues(const std::string& interface) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!call(interface, channels)) return 1;
  return std::max<std::uint32_t>(channels.rx_count + channels.combined_count, 1);
}

std::uint32_t interface_mtu(int interface_index) {
  const FileDescriptor socket = any_socket();
  ifreq request{};
  request.ifr_ifindex = interface_index;
  if (::ioctl(socket.get(), SIOCGIFNAME, &request) != 0 || ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) return 0;
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

MacAddress interface_mac(int interface_index) {
  const FileDescriptor socket = any_socket();
  ifreq request{};
  request.ifr_ifindex = interface_index;
  MacAddress mac;
  if (::ioctl(socket.get(), SIOCGIFNAME, &request) != 0 || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) {
    return mac;
  }
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  return mac;
}

bool has_feature(const std::string& interface, std::string_view feature) {
  const std::uint32_t count = feature_count(interface);
  ListCall<ethtool_gstrings> names{ETHTOOL_GSTRINGS, std::size_t{count} * ETH_GSTRING_LEN};
  names->string_set = ETH_SS_FEATURES;
  names->len = count;
  if (count == 0 || !call(interface, *names)) return false;
  const std::uint32_t known = std::min(count, names->len);
  std::uint32_t at = 0;
  while (at < known) {
    const auto* name = reinterpret_cast<const char*>(names.list() + std::size_t{at} * ETH_GSTRING_LEN);
    if (std::string_view{name, ::strnlen(name, ETH_GSTRING_LEN)} == feature) break;
    ++at;
  }
  if (at == known) return false;
  constexpr std::uint32_t bits = 32;
  const std::uint32_t blocks = (count + bits - 1) / bits;
  ListCall<ethtool_gfeatures> features{ETHTOOL_GFEATURES, blocks * sizeof(ethtool_get_features_block)};
  features->size = blocks;
  if (!call(interface, *features) || features->size <= at / bits) return false;
  ethtool_get_features_block block{};
  std::memcpy(&block, features.list() + at / bits * sizeof block, sizeof block);
  return ((block.active >> (at % bits)) & 1U) != 0;
}

VlanTags vlan_tags(const std::string& interface) {
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  return call(interface, flags) && (flags.data & ETH_FLAG_RXVLAN) != 0 ? VlanTags::taken_off : VlanTags::in_the_frame;
}

bool set_vlan_tags(const std::string& interface, VlanTags wanted) {
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  if (!call(interface, flags)) return wanted == VlanTags::in_the_frame;
  flags.cmd = ETHTOOL_SFLAGS;
  if (wanted == VlanTags::taken_off) {
    flags.data |= ETH_FLAG_RXVLAN;
  } else {
    flags.data &= ~static_cast<std::uint32_t>(ETH_FLAG_RXVLAN);
  }
  return call(interface, flags);
}

}  // namespace trivet::core
