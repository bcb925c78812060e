#include "trivet/forwarding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "trivet/net/words.h"

namespace trivet {

namespace {

// Prefixes to numbers, open addressing with linear probing, at most a quarter full. Filled once, then only read.
// Families have numbers of their own, so that 1.2.3.4 and 102:304:: differ.
class PrefixTable {
 public:
  // `kind`: family and length.
  struct Key {
    AddressWords words;
    std::uint32_t kind = 0;
    bool operator==(const Key& other) const noexcept { return words == other.words && kind == other.kind; }
  };
  explicit PrefixTable(std::size_t entries)
      : slots_(std::bit_ceil(std::max<std::size_t>(entries * 4, 8))), mask_(slots_.size() - 1) {}

  static constexpr std::uint32_t kind_of(Family family, std::uint8_t length) noexcept {
    return (static_cast<std::uint32_t>(family) << 8U) | length;
  }
  static Key key_of(const IpAddress& address, std::uint8_t length) noexcept {
    return {words_of(address), kind_of(address.family(), length)};
  }
  // The prefix is masked. False when it is there already; the table keeps the first.
  bool insert(const Key& prefix, std::uint32_t value) {
    Slot& slot = slots_[position(prefix)];
    if (slot.value != none) return false;
    slot = {prefix, value};
    return true;
  }
  void replace(const Key& prefix, std::uint32_t value) { slots_[position(prefix)].value = value; }
  [[nodiscard]] std::uint32_t find(const Key& prefix) const noexcept {
    const Slot* const slots = slots_.data();
    for (std::size_t at = hash(prefix) & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots[at];
      if (slot.value == none || slot.prefix == prefix) return slot.value;
    }
  }

  static constexpr std::uint32_t none = 0xffffffffU;

 private:
  struct Slot {
    Key prefix;
    std::uint32_t value = none;
  };

  // What is stored is the node's own configuration: the hash needs no secret.
  static std::size_t hash(const Key& key) noexcept {
    return static_cast<std::size_t>(
        fold_multiply(key.words.first ^ 0x2d358dccaa6c78a5ULL, key.words.second ^ key.kind ^ 0x8bb84b93962eacc9ULL));
  }
  // Where the prefix is, or the free slot where it would be.
  [[nodiscard]] std::size_t position(const Key& prefix) const noexcept {
    std::size_t at = hash(prefix) & mask_;
    while (slots_[at].value != none && !(slots_[at].prefix == prefix)) at = (at + 1) & mask_;
    return at;
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

constexpr std::uint32_t host4 = PrefixTable::kind_of(Family::ipv4, 32);
constexpr std::uint32_t host6 = PrefixTable::kind_of(Family::ipv6, 128);

PrefixTable::Key host_key(const IpAddress& address) { return {words_of(address), address.is_v4() ? host4 : host6}; }

// A length that occurs among the routes, with the bits of an address that count.
struct RouteLength {
  std::uint8_t length = 0;
  std::uint32_t kind = 0;  // as PrefixTable has it
  AddressWords mask;
};

RouteLength route_length(Family family, std::uint8_t length) {
  const IpAddress ones = family == Family::ipv4 ? IpAddress{Ipv4Address{{255, 255, 255, 255}}} : IpAddress{[] {
    Ipv6Address all;
    all.bytes.fill(255);
    return all;
  }()};
  return {length, PrefixTable::kind_of(family, length), words_of(IpPrefix{ones, length}.masked().address)};
}

struct FewRoute {
  AddressWords prefix;
  AddressWords mask;
  std::uint8_t length = 0;
  std::uint32_t position = 0;
};
constexpr std::size_t few_route_count = 8;

// Of the networks considered, the one that holds the address with the longest prefix.
class LongestPrefix {
 public:
  explicit LongestPrefix(const IpAddress& address) noexcept : address_(address) {}

  void consider(const NetworkView& network) noexcept {
    const std::optional<IpPrefix>& prefix = address_.is_v4() ? network.prefix4 : network.prefix6;
    if (!prefix || prefix->length < shortest_ || !prefix->contains(address_)) return;
    network_ = network.number;
    shortest_ = prefix->length + 1U;
  }
  [[nodiscard]] NetworkId network() const noexcept { return network_; }

 private:
  const IpAddress& address_;
  NetworkId network_ = 0;
  std::size_t shortest_ = 0;  // that would be better than the best so far
};

// Marks in an array of numbers which element of a list has which number.
template <std::size_t Size, class View>
std::array<std::uint16_t, Size> positions_by_number(const std::vector<View>& views) {
  std::array<std::uint16_t, Size> positions{};  // 0 = none, else position + 1
  for (std::size_t i = 0; i < views.size(); ++i) {
    const std::size_t number = views[i].number;
    if (number < Size && positions[number] == 0) positions[number] = static_cast<std::uint16_t>(i + 1);
  }
  return positions;
}

}  // namespace

struct ForwardingState::Index {
  explicit Index(const Parts& parts)
      : interfaces(positions_by_number<max_interfaces + 1>(parts.interfaces)),
        networks(positions_by_number<max_networks + 1>(parts.networks)),
        addresses(parts.addresses.size()),
        tagged_addresses(parts.addresses.size()),
        next_with_tag(parts.addresses.size(), PrefixTable::none),
        routes(parts.routes.size()),
        broadcasts(parts.networks.size() * 2),
        interface_networks(memberships(parts)) {
    for (std::size_t i = 0; i < parts.addresses.size(); ++i) add_address(parts, static_cast<std::uint32_t>(i));
    for (std::size_t i = 0; i < parts.routes.size(); ++i) {
      const IpPrefix prefix = parts.routes[i].prefix.masked();
      const PrefixTable::Key key = PrefixTable::key_of(prefix.address, prefix.length);
      if (!routes.insert(key, static_cast<std::uint32_t>(i))) continue;
      auto& lengths = prefix.address.is_v4() ? lengths4 : lengths6;
      if (std::ranges::find(lengths, prefix.length, &RouteLength::length) != lengths.end()) continue;
      lengths.push_back(route_length(prefix.address.family(), prefix.length));
    }
    std::ranges::sort(lengths4, std::greater{}, &RouteLength::length);
    std::ranges::sort(lengths6, std::greater{}, &RouteLength::length);
    few4 = few_routes(parts, Family::ipv4);
    few6 = few_routes(parts, Family::ipv6);
    for (const NetworkView& network : parts.networks) {
      if (!network.prefix4 || network.prefix4->length > 30) continue;
      const std::uint32_t host_bits = 0xffffffffU >> network.prefix4->length;
      const std::uint32_t number = network.prefix4->address.v4().number();
      broadcasts.insert(host_key(Ipv4Address::from_number(number & ~host_bits)), 0);
      broadcasts.insert(host_key(Ipv4Address::from_number(number | host_bits)), 0);
    }
    add_interface_networks(parts);
  }

  // All routes of a family where they are few, longest first: then comparing is faster than hashing. Else none.
  static std::vector<FewRoute> few_routes(const Parts& parts, Family family) {
    std::vector<FewRoute> few;
    for (std::size_t i = 0; i < parts.routes.size(); ++i) {
      const IpPrefix prefix = parts.routes[i].prefix.masked();
      if (prefix.address.family() != family) continue;
      if (few.size() == few_route_count) return {};
      few.push_back({words_of(prefix.address), route_length(family, prefix.length).mask, prefix.length,
                     static_cast<std::uint32_t>(i)});
    }
    std::ranges::sort(few, [](const FewRoute& one, const FewRoute& other) {
      // Of equal prefixes the first one counts.
      return one.length != other.length ? one.length > other.length : one.position < other.position;
    });
    return few;
  }

  static std::size_t memberships(const Parts& parts) {
    std::size_t count = 0;
    for (const InterfaceView& interface : parts.interfaces) count += interface.networks.size() * 2;
    return count;
  }
  // A key's kind has the tag (12 bits) and the interface (9) above the family and length (11).
  static std::uint32_t kind_on(InterfaceId interface, VlanId vlan, std::uint32_t kind) {
    static_assert(max_interfaces < 512);
    return (static_cast<std::uint32_t>(vlan) << 20U) | (static_cast<std::uint32_t>(interface) << 11U) | kind;
  }
  void add_interface_networks(const Parts& parts) {
    for (const InterfaceView& interface : parts.interfaces) {
      for (const NetworkId number : interface.networks) {
        const std::uint16_t position = number <= max_networks ? networks[number] : std::uint16_t{0};
        if (position == 0) continue;
        const NetworkView& network = parts.networks[position - 1U];
        for (const std::optional<IpPrefix>& prefix : {network.prefix4, network.prefix6}) {
          if (prefix) add_interface_network(interface.number, prefix->masked(), network);
        }
      }
    }
    std::ranges::sort(network_lengths4, std::greater{}, &RouteLength::length);
    std::ranges::sort(network_lengths6, std::greater{}, &RouteLength::length);
  }
  void add_interface_network(InterfaceId interface, const IpPrefix& prefix, const NetworkView& network) {
    PrefixTable::Key key = PrefixTable::key_of(prefix.address, prefix.length);
    key.kind = kind_on(interface, network.vlan, key.kind);
    static_cast<void>(interface_networks.insert(key, network.number));  // of equal prefixes the first counts
    auto& lengths = prefix.address.is_v4() ? network_lengths4 : network_lengths6;
    if (std::ranges::find(lengths, prefix.length, &RouteLength::length) != lengths.end()) return;
    lengths.push_back(route_length(prefix.address.family(), prefix.length));
  }

  // Of addresses that are the same the first counts, one of scope own before others: real and virtual at once (the
  // owner of RFC 9568) is answered always.
  void add_address(const Parts& parts, std::uint32_t position) {
    const OwnAddress& own = parts.addresses[position];
    PrefixTable::Key key = host_key(own.address);
    const auto goes_before = [&](std::uint32_t first) {
      return own.scope == AddressScope::own && parts.addresses[first].scope != AddressScope::own;
    };
    if (!addresses.insert(key, position) && goes_before(addresses.find(key))) addresses.replace(key, position);
    key.kind = kind_on(0, vlan_of(parts, own), key.kind);
    if (tagged_addresses.insert(key, position)) return;
    const std::uint32_t first = tagged_addresses.find(key);
    if (goes_before(first)) {
      next_with_tag[position] = first;
      tagged_addresses.replace(key, position);
    } else {
      next_with_tag[position] = std::exchange(next_with_tag[first], position);
    }
  }
  [[nodiscard]] VlanId vlan_of(const Parts& parts, const OwnAddress& own) const {
    const std::uint16_t place = own.network <= max_networks ? networks[own.network] : std::uint16_t{0};
    return place == 0 ? VlanId{0} : parts.networks[place - 1U].vlan;
  }

  std::array<std::uint16_t, max_interfaces + 1> interfaces;
  std::array<std::uint16_t, max_networks + 1> networks;
  PrefixTable addresses;
  PrefixTable tagged_addresses;              // the tag is a part of the key
  std::vector<std::uint32_t> next_with_tag;  // the next one that is the same, of another interface or writer
  PrefixTable routes;
  // Lengths that occur among the routes, longest first: a look-up asks the table once for each.
  std::vector<RouteLength> lengths4;
  std::vector<RouteLength> lengths6;
  std::vector<FewRoute> few4;
  std::vector<FewRoute> few6;
  PrefixTable broadcasts;          // keys only
  PrefixTable interface_networks;  // to the number of the network; interface and tag are a part of the key
  std::vector<RouteLength> network_lengths4;
  std::vector<RouteLength> network_lengths6;
};

ForwardingState::ForwardingState(Parts parts)
    : parts_(std::move(parts)), index_(std::make_unique<const Index>(parts_)) {
  for (const OwnAddress& own : parts_.addresses) own_filter_.add(words_of(own.address));
  for (InterfaceView& interface : parts_.interfaces) {
    interface.vlans.clear();
    for (const NetworkId number : interface.networks) {
      const NetworkView* const view = network(number);
      const VlanId vlan = view == nullptr ? VlanId{0} : view->vlan;
      auto at = std::ranges::lower_bound(interface.vlans, vlan, {}, &VlanView::vlan);
      if (at == interface.vlans.end() || at->vlan != vlan) at = interface.vlans.insert(at, VlanView{vlan, {}});
      at->networks.push_back(number);
    }
  }
}

ForwardingState::~ForwardingState() = default;

const InterfaceView* ForwardingState::interface(InterfaceId number) const noexcept {
  const std::uint16_t position = number <= max_interfaces ? index_->interfaces[number] : std::uint16_t{0};
  return position == 0 ? nullptr : &parts_.interfaces[position - 1U];
}

const NetworkView* ForwardingState::network(NetworkId number) const noexcept {
  const std::uint16_t position = number <= max_networks ? index_->networks[number] : std::uint16_t{0};
  return position == 0 ? nullptr : &parts_.networks[position - 1U];
}

NetworkId ForwardingState::network_of(const IpAddress& address) const noexcept {
  LongestPrefix best(address);
  for (const NetworkView& network : parts_.networks) best.consider(network);
  return best.network();
}

NetworkId ForwardingState::network_of(const IpAddress& address, InterfaceId interface, VlanId vlan) const noexcept {
  const AddressWords words = words_of(address);
  for (const RouteLength& entry : address.is_v4() ? index_->network_lengths4 : index_->network_lengths6) {
    const PrefixTable::Key key{{words.first & entry.mask.first, words.second & entry.mask.second},
                               Index::kind_on(interface, vlan, entry.kind)};
    const std::uint32_t number = index_->interface_networks.find(key);
    if (number != PrefixTable::none) return static_cast<NetworkId>(number);
  }
  return 0;
}

NetworkId ForwardingState::network_of(const IpAddress& address, std::span<const NetworkId> among) const noexcept {
  LongestPrefix best(address);
  for (const NetworkId number : among) {
    if (const NetworkView* candidate = network(number)) best.consider(*candidate);
  }
  return best.network();
}

bool ForwardingState::is_directed_broadcast(const Ipv4Address& address) const noexcept {
  return index_->broadcasts.find({words_of(address), host4}) != PrefixTable::none;
}

const OwnAddress* ForwardingState::find_own(const AddressWords& words, std::uint32_t kind) const noexcept {
  const std::uint32_t position = index_->addresses.find({words, kind});
  return position == PrefixTable::none ? nullptr : &parts_.addresses[position];
}

const OwnAddress* ForwardingState::find_address(const IpAddress& address) const noexcept {
  return find_own(words_of(address), address.is_v4() ? host4 : host6);
}
const OwnAddress* ForwardingState::find_own(const Ipv4Address& address) const noexcept {
  return find_own(words_of(address), host4);
}
const OwnAddress* ForwardingState::find_own(const Ipv6Address& address) const noexcept {
  return find_own(words_of(address), host6);
}

const OwnAddress* ForwardingState::find_address(const IpAddress& address, InterfaceId interface,
                                                VlanId vlan) const noexcept {
  const auto is_here = [&](const OwnAddress& own) {
    if (own.interface != 0) return own.interface == interface;
    const NetworkView* const home = own.network == 0 ? nullptr : network(own.network);
    return home != nullptr && std::ranges::binary_search(home->interfaces, interface);
  };
  const OwnAddress* found = nullptr;
  PrefixTable::Key key = host_key(address);
  key.kind = Index::kind_on(0, vlan, key.kind);
  for (std::uint32_t at = index_->tagged_addresses.find(key); at != PrefixTable::none; at = index_->next_with_tag[at]) {
    const OwnAddress& own = parts_.addresses[at];
    if (!is_here(own)) continue;
    if (own.scope == AddressScope::own) return &own;
    if (found == nullptr) found = &own;
  }
  return found;
}

bool ForwardingState::answers_for(const IpAddress& address) const noexcept {
  const OwnAddress* own = find_address(address);
  return own != nullptr && (own->scope == AddressScope::own || is_master());
}

const Route* ForwardingState::find_longest(const AddressWords& words, Family family) const noexcept {
  const std::vector<FewRoute>& few = family == Family::ipv4 ? index_->few4 : index_->few6;
  if (!few.empty()) {
    for (const FewRoute& route : few) {
      const std::uint64_t first = (words.first & route.mask.first) ^ route.prefix.first;
      const std::uint64_t second = (words.second & route.mask.second) ^ route.prefix.second;
      if ((first | second) == 0) return &parts_.routes[route.position];
    }
    return nullptr;
  }
  for (const RouteLength& entry : family == Family::ipv4 ? index_->lengths4 : index_->lengths6) {
    const PrefixTable::Key key{{words.first & entry.mask.first, words.second & entry.mask.second}, entry.kind};
    const std::uint32_t position = index_->routes.find(key);
    if (position != PrefixTable::none) return &parts_.routes[position];
  }
  return nullptr;
}

const Route* ForwardingState::find_route(const IpAddress& destination) const noexcept {
  return find_longest(words_of(destination), destination.family());
}
const Route* ForwardingState::find_route(const Ipv4Address& destination) const noexcept {
  return find_longest(words_of(destination), Family::ipv4);
}
const Route* ForwardingState::find_route(const Ipv6Address& destination) const noexcept {
  return find_longest(words_of(destination), Family::ipv6);
}

MacAddress ForwardingState::router_mac(InterfaceId number, Family family) const noexcept {
  const RoleState& role = parts_.role;
  if (is_master() && role.virtual_mac && role.vrid != 0) return vrrp_mac(family, role.vrid);
  const InterfaceView* view = interface(number);
  return view == nullptr ? MacAddress{} : view->mac;
}

}  // namespace trivet
