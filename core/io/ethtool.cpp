#include "core/io/ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/io/file_descriptor.h"

namespace trivet::core {

namespace {

ifreq request_for(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  return request;
}

FileDescriptor any_socket() { return FileDescriptor{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}; }

template <class Command>
bool call(const std::string& interface, Command& command) {
  const FileDescriptor socket = any_socket();
  ifreq request = request_for(interface);
  request.ifr_data = reinterpret_cast<char*>(&command);
  return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
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
