// What workers need to know about servers and targets, as one immutable snapshot; and the registry that makes it.
//
// A binding is a server together with one of its targets, under a small number that sessions carry. Its epoch says
// which of its sessions live: the registry raises it when they must go (target down, object changed or removed), and
// every session of an older epoch is gone with the next snapshot, without touching the table.
// Directory: constant, any thread. Registry: control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "slb/config.h"
#include "slb/flat_map.h"
#include "slb/roster.h"
#include "slb/session_table.h"
#include "trivet/net/address.h"
#include "trivet/net/checksum.h"
#include "trivet/net/words.h"
#include "trivet/topics/health.h"

namespace trivet::slb {

// Of the maps below. Their keys are the operator's, so they need no secret.
inline constexpr std::uint64_t flat_salt = 0x8bb84b93962eacc9ULL;

template <class Address>
struct AddressKey {
  Address address;
  bool operator==(const AddressKey& other) const noexcept { return address == other.address; }
  friend std::uint64_t flat_hash(const AddressKey& key) noexcept {
    const auto [first, second] = words_of(key.address);
    return fold_multiply(first, second ^ flat_salt);
  }
};

template <class Address>
struct ServiceKey {
  Address address;
  std::uint16_t port = 0;
  std::uint8_t protocol = 0;
  bool operator==(const ServiceKey& other) const noexcept {
    return address == other.address && port == other.port && protocol == other.protocol;
  }
  friend std::uint64_t flat_hash(const ServiceKey& key) noexcept {
    const auto [first, second] = words_of(key.address);
    const std::uint64_t rest = (std::uint64_t{key.port} << 40U) | (std::uint64_t{key.protocol} << 32U);
    return fold_multiply(first ^ rest, second ^ flat_salt);
  }
};

// Which reverse keys sessions of a target can have, most specific first: what a reply is looked up under.
namespace reply_form {
inline constexpr std::uint8_t connection = 1;     // port, protocol, client port
inline constexpr std::uint8_t port_protocol = 2;  // sessionid src: port, protocol
inline constexpr std::uint8_t port = 4;           // sessionid src: port; TCP and UDP
inline constexpr std::uint8_t protocol = 8;       // sessionid src: protocol
inline constexpr std::uint8_t any = 16;           // sessionid src: everything
}  // namespace reply_form

struct Binding {
  std::uint16_t epoch = 0;
  bool in_use = false;
  bool usable = false;  // takes new sessions: target enabled and up
  bool dsr = false;
  SessionId session_id = SessionId::client;
  std::uint8_t protocol = 0;  // the server's
  std::uint8_t form = 0;      // reply form of its sessions
  // Reply forms at the target that only sessions of other servers have.
  std::uint8_t foreign_forms4 = 0;
  std::uint8_t foreign_forms6 = 0;
  ServerId server = 0;
  TargetId target = 0;
  std::uint16_t weight = 1;
  std::uint16_t server_port = 0;   // 0 = every port
  std::uint16_t target_port = 0;   // 0 = the port that the client addressed
  std::uint32_t idle_timeout = 0;  // milliseconds
  std::uint32_t flow_timeout = 0;  // of a UDP flow with a session of its own
  std::uint64_t identity = 0;      // hash of the target's addresses and port
  Ipv4Address server4, target4;
  Ipv6Address server6, target6;
  // What translation changes in checksums: the address of the server to that of the target, and back.
  ChecksumDelta to_target4{};
  ChecksumDelta to_client4{};
  ChecksumDelta to_target6{};
  ChecksumDelta to_client6{};

  template <class Address>
  [[nodiscard]] ChecksumDelta to_target() const {
    return std::is_same_v<Address, Ipv4Address> ? to_target4 : to_target6;
  }
  template <class Address>
  [[nodiscard]] ChecksumDelta to_client() const {
    return std::is_same_v<Address, Ipv4Address> ? to_client4 : to_client6;
  }
  template <class Address>
  [[nodiscard]] std::uint8_t foreign_forms() const {
    return std::is_same_v<Address, Ipv4Address> ? foreign_forms4 : foreign_forms6;
  }
  // Those of them that a reply is looked up under before `form`.
  template <class Address>
  [[nodiscard]] std::uint8_t more_specific_forms() const {
    return static_cast<std::uint8_t>(foreign_forms<Address>() & (form - 1U));
  }
  template <class Address>
  [[nodiscard]] const Address& server_address() const {
    if constexpr (std::is_same_v<Address, Ipv4Address>) {
      return server4;
    } else {
      return server6;
    }
  }
  template <class Address>
  [[nodiscard]] const Address& target_address() const {
    if constexpr (std::is_same_v<Address, Ipv4Address>) {
      return target4;
    } else {
      return target6;
    }
  }
};

// An active server.
struct Service {
  ServerId number = 0;
  Method method = Method::rr;
  SessionId session_id = SessionId::client;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  std::uint32_t roster4 = 0;  // of targets with an address of the family: place in Directory::rosters
  std::uint32_t roster6 = 0;
};

template <class Address>
struct FamilyIndex {
  FlatMap<AddressKey<Address>, bool> server_addresses;
  FlatMap<ServiceKey<Address>, std::uint16_t> services;    // to the number in Directory::services
  FlatMap<AddressKey<Address>, std::uint8_t> reply_forms;  // by target address
};

struct Directory {
  std::uint64_t version = 0;  // differs for each directory of a registry
  std::vector<Service> services;
  std::vector<Binding> bindings;  // by BindingId
  std::vector<Roster> rosters;
  LoadLists load_lists;
  FamilyIndex<Ipv4Address> index4;
  FamilyIndex<Ipv6Address> index6;

  template <class Address>
  [[nodiscard]] const FamilyIndex<Address>& index() const {
    if constexpr (std::is_same_v<Address, Ipv4Address>) {
      return index4;
    } else {
      return index6;
    }
  }
  template <class Address>
  [[nodiscard]] const Roster& roster(const Service& service) const noexcept {
    return rosters[std::is_same_v<Address, Ipv4Address> ? service.roster4 : service.roster6];
  }
  template <class Address>
  [[nodiscard]] bool is_server(const Address& address) const noexcept {
    return index<Address>().server_addresses.find({address}) != nullptr;
  }
  // The service of exactly this port and protocol, which nearly all packets are for. Null: see find_service().
  template <class Address>
  [[nodiscard]] const Service* find_exact(const Address& address, std::uint16_t port,
                                          std::uint8_t protocol) const noexcept {
    const std::uint16_t* const found = index<Address>().services.find({address, port, protocol});
    return found == nullptr ? nullptr : &services[*found];
  }
  // The service that takes a packet: exact, then any protocol on the port, then any port of the protocol, then
  // everything. Null when the address has none for it.
  template <class Address>
  [[nodiscard]] const Service* find_service(const Address& address, std::uint16_t port, std::uint8_t protocol,
                                            bool has_ports) const noexcept {
    const auto& map = index<Address>().services;
    const std::uint16_t* found = nullptr;
    if (has_ports) {
      found = map.find({address, port, protocol});
      if (found == nullptr) found = map.find({address, port, 0});
      if (found == nullptr) found = map.find({address, 0, protocol});
    }
    if (found == nullptr) found = map.find({address, 0, 0});
    return found == nullptr ? nullptr : &services[*found];
  }
};

class Registry {
 public:
  // Takes a new configuration. Sessions of pairs that did not change in what a session depends on live on.
  void configure(const Config& config);
  // A target without an entry is up. Returns whether a directory must be built; entering `down` ends sessions.
  bool set_health(TargetId target, Health health);
  bool clear_health(TargetId target) { return set_health(target, Health::up); }
  [[nodiscard]] Health health(TargetId target) const;
  [[nodiscard]] std::unique_ptr<const Directory> build();
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  // What a session depends on: if any of it changes, the sessions go.
  struct Identity {
    std::optional<Ipv4Address> server4, target4;
    std::optional<Ipv6Address> server6, target6;
    std::uint16_t server_port = 0;
    std::uint16_t target_port = 0;
    std::uint8_t protocol = 0;
    SessionId session_id = SessionId::client;
    bool dsr = false;
    bool operator==(const Identity&) const = default;
  };
  struct Slot {
    Identity identity;
    std::uint16_t epoch = 0;
    bool in_use = false;
  };
  using Pair = std::pair<ServerId, TargetId>;

  static Identity identity_of(const ServerConfig& server, const TargetConfig& target);
  void assign(const std::map<Pair, Identity>& wanted);
  void add_service(Directory& directory, const ServerConfig& server) const;
  static void add_roster(Directory& directory, Method method, std::vector<BindingId> takers, std::uint16_t line);

  Config config_;
  std::map<TargetId, Health> health_;
  std::map<Pair, BindingId> ids_;
  std::vector<Slot> slots_;  // by BindingId
  std::uint64_t version_ = 0;
};

}  // namespace trivet::slb
