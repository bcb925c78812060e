#include "trivet/forwarding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "trivet/net/hash.h"

namespace trivet {

namespace {

// Prefixes to numbers, open addressing with linear probing, at most half full. Filled once, then only read.
class PrefixTable {
 public:
  explicit PrefixTable(std::size_t entries) : slots_(std::bit_ceil(std::max<std::size_t>(entries * 2, 8))) {}

  // `prefix` is masked. False when it is there already; the table keeps the first.
  bool insert(const IpPrefix& prefix, std::uint32_t value) {
    Slot& slot = slots_[position(prefix)];
    if (slot.value != none) return false;
    slot = {prefix, value};
    return true;
  }
  void replace(const IpPrefix& prefix, std::uint32_t value) { slots_[position(prefix)].value = value; }
  [[nodiscard]] std::uint32_t find(const IpPrefix& prefix) const noexcept { return slots_[position(prefix)].value; }

  static constexpr std::uint32_t none = 0xffffffffU;

 private:
  struct Slot {
    IpPrefix prefix;
    std::uint32_t value = none;
  };

  // Where the prefix is, or the free slot where it would be.
  [[nodiscard]] std::size_t position(const IpPrefix& prefix) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>(hash_address(prefix.address, prefix.length)) & mask;
    while (slots_[at].value != none && slots_[at].prefix != prefix) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

IpPrefix host_prefix(const IpAddress& address) {
  return {address, static_cast<std::uint8_t>(address.is_v4() ? 32 : 128)};
}

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
        routes(parts.routes.size()) {
    for (std::size_t i = 0; i < parts.addresses.size(); ++i) {
      const OwnAddress& own = parts.addresses[i];
      const IpPrefix key = host_prefix(own.address);
      // Real and virtual at once (the owner of RFC 9568): answered always.
      if (!addresses.insert(key, static_cast<std::uint32_t>(i)) && own.scope == AddressScope::own &&
          parts.addresses[addresses.find(key)].scope != AddressScope::own) {
        addresses.replace(key, static_cast<std::uint32_t>(i));
      }
    }
    for (std::size_t i = 0; i < parts.routes.size(); ++i) {
      const IpPrefix prefix = parts.routes[i].prefix.masked();
      if (!routes.insert(prefix, static_cast<std::uint32_t>(i))) continue;
      auto& lengths = prefix.address.is_v4() ? lengths4 : lengths6;
      if (std::ranges::find(lengths, prefix.length) == lengths.end()) lengths.push_back(prefix.length);
    }
    std::ranges::sort(lengths4, std::greater{});
    std::ranges::sort(lengths6, std::greater{});
  }

  std::array<std::uint16_t, max_interfaces + 1> interfaces;
  std::array<std::uint16_t, max_networks + 1> networks;
  PrefixTable addresses;
  PrefixTable routes;
  // Lengths that occur among the routes, longest first: a look-up asks the table once for each.
  std::vector<std::uint8_t> lengths4;
  std::vector<std::uint8_t> lengths6;
};

ForwardingState::ForwardingState(Parts parts)
    : parts_(std::move(parts)), index_(std::make_unique<const Index>(parts_)) {}

ForwardingState::~ForwardingState() = default;

const InterfaceView* ForwardingState::interface(InterfaceId number) const noexcept {
  const std::uint16_t position = number <= max_interfaces ? index_->interfaces[number] : std::uint16_t{0};
  return position == 0 ? nullptr : &parts_.interfaces[position - 1U];
}

const NetworkView* ForwardingState::network(NetworkId number) const noexcept {
  const std::uint16_t position = number <= max_networks ? index_->networks[number] : std::uint16_t{0};
  return position == 0 ? nullptr : &parts_.networks[position - 1U];
}

const OwnAddress* ForwardingState::find_address(const IpAddress& address) const noexcept {
  const std::uint32_t position = index_->addresses.find(host_prefix(address));
  return position == PrefixTable::none ? nullptr : &parts_.addresses[position];
}

bool ForwardingState::answers_for(const IpAddress& address) const noexcept {
  const OwnAddress* own = find_address(address);
  return own != nullptr && (own->scope == AddressScope::own || is_master());
}

const Route* ForwardingState::find_route(const IpAddress& destination) const noexcept {
  for (const std::uint8_t length : destination.is_v4() ? index_->lengths4 : index_->lengths6) {
    const std::uint32_t position = index_->routes.find(IpPrefix{destination, length}.masked());
    if (position != PrefixTable::none) return &parts_.routes[position];
  }
  return nullptr;
}

MacAddress ForwardingState::router_mac(InterfaceId number, Family family) const noexcept {
  const RoleState& role = parts_.role;
  if (is_master() && role.virtual_mac && role.vrid != 0) return vrrp_mac(family, role.vrid);
  const InterfaceView* view = interface(number);
  return view == nullptr ? MacAddress{} : view->mac;
}

}  // namespace trivet
