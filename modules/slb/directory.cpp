#include "slb/directory.h"

#include <algorithm>
#include <type_traits>

#include "trivet/net/checksum.h"
#include "trivet/net/hash.h"

namespace trivet::slb {
namespace {

std::uint8_t reply_form_of(SessionId session_id, std::uint16_t port, std::uint8_t protocol) {
  if (session_id == SessionId::connection) return reply_form::connection;
  if (port != 0) return protocol != 0 ? reply_form::port_protocol : reply_form::port;
  return protocol != 0 ? reply_form::protocol : reply_form::any;
}

std::uint64_t identity_hash(const TargetConfig& target, std::uint16_t port) {
  std::uint64_t hash = hash_bytes({}, port);
  if (target.address4) hash = hash_address(*target.address4, hash);
  if (target.address6) hash = hash_address(*target.address6, hash);
  return hash;
}

std::uint32_t milliseconds(Duration duration) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

template <class Address>
struct IndexEntries {
  std::vector<std::pair<AddressKey<Address>, bool>> addresses;
  std::vector<std::pair<ServiceKey<Address>, std::uint16_t>> services;
  std::map<Address, std::uint8_t> forms;

  void add(const std::optional<Address>& address, const ServerConfig& server, std::uint16_t number) {
    if (!address) return;
    addresses.push_back({{*address}, true});
    services.push_back({{*address, server.port, server.protocol}, number});
  }
  void add_form(const std::optional<Address>& server, const std::optional<Address>& target, std::uint8_t form) {
    if (server && target) forms[*target] |= form;
  }
  [[nodiscard]] std::uint8_t forms_beside(const Address& target, std::uint8_t form) const {
    const auto found = forms.find(target);
    return found == forms.end() ? std::uint8_t{0} : static_cast<std::uint8_t>(found->second & ~form);
  }
  [[nodiscard]] FamilyIndex<Address> build() const {
    std::vector<std::pair<AddressKey<Address>, std::uint8_t>> form_list;
    form_list.reserve(forms.size());
    for (const auto& [address, form] : forms) form_list.push_back({{address}, form});
    return {FlatMap(addresses), FlatMap(services), FlatMap(form_list)};
  }
};

// Defined: the object is written down but not in use; registered and not enabled: it drains.
bool keeps_sessions(const TargetConfig& target) { return target.state != LifeCycle::defined; }

}  // namespace

Registry::Identity Registry::identity_of(const ServerConfig& server, const TargetConfig& target) {
  std::uint16_t port = 0;
  if (server.port != 0) port = target.port != 0 && !target.dsr ? target.port : server.port;
  return {.server4 = server.address4,
          .target4 = target.address4,
          .server6 = server.address6,
          .target6 = target.address6,
          .server_port = server.port,
          .target_port = port,
          .protocol = server.protocol,
          .session_id = server.session_id,
          .dsr = target.dsr};
}

void Registry::configure(const Config& config) {
  config_ = config;
  std::map<Pair, Identity> wanted;
  for (const ServerConfig& server : config_.servers) {
    if (!server.is_active()) continue;
    for (const TargetId number : server.targets) {
      const TargetConfig* target = config_.target(number);
      if (target == nullptr || !keeps_sessions(*target) || !fits(server, *target)) continue;
      wanted.emplace(Pair{server.number, number}, identity_of(server, *target));
    }
  }
  assign(wanted);
}

void Registry::assign(const std::map<Pair, Identity>& wanted) {
  for (auto entry = ids_.begin(); entry != ids_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    Slot& slot = slots_[entry->second];
    slot.in_use = false;
    ++slot.epoch;
    entry = ids_.erase(entry);
  }
  std::size_t search = 0;
  for (const auto& [pair, identity] : wanted) {
    if (const auto known = ids_.find(pair); known != ids_.end()) {
      Slot& slot = slots_[known->second];
      if (!(slot.identity == identity)) ++slot.epoch;
      slot.identity = identity;
      continue;
    }
    while (search < slots_.size() && slots_[search].in_use) ++search;
    if (search == slots_.size()) slots_.emplace_back();
    slots_[search].identity = identity;
    slots_[search].in_use = true;
    ids_.emplace(pair, static_cast<BindingId>(search));
  }
}

bool Registry::set_health(TargetId target, Health health) {
  const Health before = this->health(target);
  if (health == Health::up) {
    health_.erase(target);
  } else {
    health_[target] = health;
  }
  if (before == health) return false;
  if (health == Health::down) {
    for (const auto& [pair, id] : ids_) {
      if (pair.second == target) ++slots_[id].epoch;
    }
  }
  return true;
}

Health Registry::health(TargetId target) const {
  const auto found = health_.find(target);
  return found == health_.end() ? Health::up : found->second;
}

void Registry::add_service(Directory& directory, const ServerConfig& server) const {
  Service service{.number = server.number,
                  .method = server.method,
                  .session_id = server.session_id,
                  .protocol = server.protocol,
                  .port = server.port};
  std::vector<BindingId> takers4;
  std::vector<BindingId> takers6;
  const std::uint32_t idle = milliseconds(server.session_timeout);
  for (const TargetId number : server.targets) {
    const auto id = ids_.find({server.number, number});
    if (id == ids_.end()) continue;
    const TargetConfig& target = *config_.target(number);
    const Identity& identity = slots_[id->second].identity;
    Binding& binding = directory.bindings[id->second];
    binding = {.epoch = slots_[id->second].epoch,
               .in_use = true,
               .usable = target.state == LifeCycle::enabled && health(number) == Health::up,
               .dsr = target.dsr,
               .session_id = server.session_id,
               .protocol = server.protocol,
               .server = server.number,
               .target = number,
               .weight = target.weight,
               .server_port = server.port,
               .target_port = identity.target_port,
               .idle_timeout = idle,
               // A datagram flow says no goodbye; a resolver's clients would fill the table with them.
               .flow_timeout = server.has_own_timeout ? idle : std::min(idle, datagram_timeout),
               .identity = identity_hash(target, identity.target_port),
               .server4 = server.address4.value_or(Ipv4Address{}),
               .target4 = target.address4.value_or(Ipv4Address{}),
               .server6 = server.address6.value_or(Ipv6Address{}),
               .target6 = target.address6.value_or(Ipv6Address{})};
    if (!binding.usable || binding.weight == 0) continue;
    if (server.address4 && target.address4) takers4.push_back(id->second);
    if (server.address6 && target.address6) takers6.push_back(id->second);
  }
  // The families take turns together where the same targets serve both.
  const bool are_same = takers4 == takers6;
  add_roster(directory, server.method, std::move(takers4), 0);
  service.roster4 = service.roster6 = static_cast<std::uint32_t>(directory.rosters.size() - 1);
  if (!are_same) {
    add_roster(directory, server.method, std::move(takers6), 1);
    ++service.roster6;
  }
  directory.services.push_back(service);
}

void Registry::add_roster(Directory& directory, Method method, std::vector<BindingId> takers, std::uint16_t line) {
  Roster roster{.takers = std::move(takers), .candidates = {}, .offset = 0, .line = line};
  if (!directory.rosters.empty()) {
    const Roster& last = directory.rosters.back();
    roster.offset = last.offset + static_cast<std::uint32_t>(last.takers.size());
  }
  std::vector<TargetId> targets;
  std::vector<std::uint16_t> weights;
  for (const BindingId id : roster.takers) {
    const Binding& binding = directory.bindings[id];
    add_candidate(roster.candidates, binding.identity, binding.weight);
    targets.push_back(binding.target);
    weights.push_back(binding.weight);
  }
  if (method == Method::session) roster.load_list = directory.load_lists.add(std::move(targets), std::move(weights));
  directory.rosters.push_back(std::move(roster));
}

std::unique_ptr<const Directory> Registry::build() {
  auto directory = std::make_unique<Directory>();
  directory->version = ++version_;
  directory->bindings.resize(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) directory->bindings[i].epoch = slots_[i].epoch;
  IndexEntries<Ipv4Address> entries4;
  IndexEntries<Ipv6Address> entries6;
  for (const ServerConfig& server : config_.servers) {
    if (!server.is_active()) continue;
    const auto number = static_cast<std::uint16_t>(directory->services.size());
    add_service(*directory, server);
    entries4.add(server.address4, server, number);
    entries6.add(server.address6, server, number);
    for (const TargetId target_number : server.targets) {
      const auto id = ids_.find({server.number, target_number});
      // Replies of direct return do not come this way: such a target is an ordinary host to us.
      if (id == ids_.end() || slots_[id->second].identity.dsr) continue;
      const Identity& identity = slots_[id->second].identity;
      const std::uint8_t form = reply_form_of(server.session_id, server.port, server.protocol);
      entries4.add_form(identity.server4, identity.target4, form);
      entries6.add_form(identity.server6, identity.target6, form);
    }
  }
  for (Binding& binding : directory->bindings) {
    if (!binding.in_use || binding.dsr) continue;
    binding.to_target4 = ChecksumDelta::of(binding.server4.bytes, binding.target4.bytes);
    binding.to_client4 = ChecksumDelta::of(binding.target4.bytes, binding.server4.bytes);
    binding.to_target6 = ChecksumDelta::of(binding.server6.bytes, binding.target6.bytes);
    binding.to_client6 = ChecksumDelta::of(binding.target6.bytes, binding.server6.bytes);
    binding.form = reply_form_of(binding.session_id, binding.server_port, binding.protocol);
    binding.foreign_forms4 = entries4.forms_beside(binding.target4, binding.form);
    binding.foreign_forms6 = entries6.forms_beside(binding.target6, binding.form);
  }
  directory->load_lists.finish();
  directory->index4 = entries4.build();
  directory->index6 = entries6.build();
  return directory;
}

}  // namespace trivet::slb
