// What the node knows about itself, as one immutable snapshot: role, interfaces, networks, addresses, routes.
//
// Who writes: the core, on the control thread, from its own objects and from the topics role, addresses, routes,
// links. Who reads: every worker during a batch (Batch::forwarding()), the control thread (Host::forwarding()).
// Look-ups do not allocate, lock or throw.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/net/words.h"
#include "trivet/packet.h"
#include "trivet/topics/addresses.h"
#include "trivet/topics/role.h"
#include "trivet/topics/routes.h"

namespace trivet {

// The networks of an interface that share a tag.
struct VlanView {
  VlanId vlan = 0;                  // 0: frames without a tag
  std::vector<NetworkId> networks;  // ascending, at least one
};

struct InterfaceView {
  InterfaceId number = 0;
  std::string name;  // of the system: eth1
  MacAddress mac;    // the interface's own
  std::uint32_t mtu = 1500;
  bool up = false;                  // registered, enabled, taken, and with link
  std::vector<NetworkId> networks;  // registered and enabled ones, ascending
  std::vector<VlanView> vlans{};    // the same by their tags, ascending; ForwardingState fills it in

  // Null when none of the networks has this tag.
  [[nodiscard]] const VlanView* find_vlan(VlanId vlan) const noexcept {
    if (!vlans.empty() && vlans.front().vlan == vlan) return &vlans.front();
    const auto at = std::ranges::lower_bound(vlans, vlan, {}, &VlanView::vlan);
    return at == vlans.end() || at->vlan != vlan ? nullptr : &*at;
  }
};

struct NetworkView {
  NetworkId number = 0;
  std::string name;
  std::vector<InterfaceId> interfaces;  // ascending
  VlanId vlan = 0;                      // tag of its frames on all of them; 0 = none
  std::optional<IpPrefix> prefix4;      // addr/mask
  std::optional<Ipv4Address> real4;
  std::optional<Ipv4Address> virt4;
  std::optional<IpPrefix> prefix6;  // from mask6 and real6 or virt6
  std::optional<Ipv6Address> real6;
  std::optional<Ipv6Address> virt6;
};

class ForwardingState {
 public:
  struct Parts {
    RoleState role;
    std::vector<InterfaceView> interfaces;  // registered and enabled ones
    std::vector<NetworkView> networks;      // registered, enabled and complete ones
    std::vector<OwnAddress> addresses;
    std::vector<Route> routes;
    bool ip_forwarding = false;
  };
  explicit ForwardingState(Parts parts);
  ForwardingState(const ForwardingState&) = delete;
  ForwardingState& operator=(const ForwardingState&) = delete;
  ~ForwardingState();

  [[nodiscard]] bool is_master() const { return parts_.role.role == Role::master; }
  [[nodiscard]] const RoleState& role() const { return parts_.role; }
  [[nodiscard]] bool ip_forwarding() const { return parts_.ip_forwarding; }
  [[nodiscard]] const std::vector<InterfaceView>& interfaces() const { return parts_.interfaces; }
  [[nodiscard]] const std::vector<NetworkView>& networks() const { return parts_.networks; }
  [[nodiscard]] const InterfaceView* interface(InterfaceId number) const noexcept;
  [[nodiscard]] const NetworkView* network(NetworkId number) const noexcept;
  // The network whose prefix holds the address, of several the one with the longest prefix (of equal ones the first);
  // 0 = none. A link-local address is in every network and so in none.
  [[nodiscard]] NetworkId network_of(const IpAddress& address) const noexcept;
  // The same, only among the networks with a tag on an interface of this snapshot.
  [[nodiscard]] NetworkId network_of(const IpAddress& address, InterfaceId interface, VlanId vlan) const noexcept;
  // The same, only among these networks.
  [[nodiscard]] NetworkId network_of(const IpAddress& address, std::span<const NetworkId> among) const noexcept;
  // An own address of either scope; null for foreign ones. Does not look at the role.
  [[nodiscard]] const OwnAddress* find_address(const IpAddress& address) const noexcept;
  [[nodiscard]] const OwnAddress* find_address(const Ipv4Address& address) const noexcept {
    return own_filter_.may_have(words_of(address)) ? find_own(address) : nullptr;
  }
  [[nodiscard]] const OwnAddress* find_address(const Ipv6Address& address) const noexcept {
    return own_filter_.may_have(words_of(address)) ? find_own(address) : nullptr;
  }
  // The own address that is on-link behind an interface with that tag; null when there is none. Networks with other
  // tags may have the same address.
  [[nodiscard]] const OwnAddress* find_address(const IpAddress& address, InterfaceId interface,
                                               VlanId vlan) const noexcept;
  // True when this node answers for the address now: scope own, or scope master while master.
  [[nodiscard]] bool answers_for(const IpAddress& address) const noexcept;
  // Longest prefix match; null when there is none. A route without `via` is connected.
  [[nodiscard]] const Route* find_route(const IpAddress& destination) const noexcept;
  [[nodiscard]] const Route* find_route(const Ipv4Address& destination) const noexcept;
  [[nodiscard]] const Route* find_route(const Ipv6Address& destination) const noexcept;
  // True for the address of all hosts (all bits of the host set, or none: RFC 919, RFC 1122 section 3.3.6) of any of
  // the networks. Networks of two addresses or one have none (RFC 3021).
  [[nodiscard]] bool is_directed_broadcast(const Ipv4Address& address) const noexcept;
  // The source MAC of frames this node sends on an interface in its role as router or virtual address: the family's
  // virtual MAC while master with virtual MACs, else the interface's own.
  [[nodiscard]] MacAddress router_mac(InterfaceId interface, Family family) const noexcept;

 private:
  struct Index;
  // Tells most foreign addresses from own ones without a look at the table (a Bloom filter with one hash).
  class OwnFilter {
   public:
    void add(const AddressWords& words) noexcept {
      bits_[place(words) >> 6U] |= std::uint64_t{1} << (place(words) & 63U);
    }
    [[nodiscard]] bool may_have(const AddressWords& words) const noexcept {
      return (bits_[place(words) >> 6U] >> (place(words) & 63U) & 1U) != 0;
    }

   private:
    static std::size_t place(const AddressWords& words) noexcept {
      return static_cast<std::size_t>(hash_words(words, 0) >> 54U);
    }
    std::array<std::uint64_t, 16> bits_{};  // 1,024
  };
  [[nodiscard]] const OwnAddress* find_own(const Ipv4Address& address) const noexcept;
  [[nodiscard]] const OwnAddress* find_own(const Ipv6Address& address) const noexcept;
  [[nodiscard]] const OwnAddress* find_own(const AddressWords& words, std::uint32_t kind) const noexcept;
  [[nodiscard]] const Route* find_longest(const AddressWords& words, Family family) const noexcept;

  Parts parts_;
  std::unique_ptr<const Index> index_;
  OwnFilter own_filter_;
};

}  // namespace trivet
