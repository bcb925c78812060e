#include "core/config/core_schema.h"

#include <cstdlib>
#include <utility>

namespace trivet::core {
namespace {

class CoreDeclarations {
 public:
  void section(std::string name, std::uint32_t last_index, int rank, std::string help) {
    SectionSpec spec;
    spec.plural = last_index == 0 ? "" : name + 's';
    spec.name = std::move(name);
    spec.last_index = last_index;
    spec.has_life_cycle = last_index != 0;
    spec.help = std::move(help);
    spec.rank = rank;
    must(schema_.open_section(std::move(spec), "core"));
  }

  // Keys of a section stand in the order of declaration, before those of modules.
  void key(KeySpec spec) {
    spec.rank = ++rank_;
    must(schema_.add_key(std::move(spec), "core"));
  }

  Schema take() { return std::move(schema_); }

 private:
  // The core's own declarations are constants: one that is refused is a mistake in this file.
  static void must(const Result<void>& result) {
    if (!result) std::abort();
  }

  Schema schema_;
  int rank_ = 0;
};

void declare_interface(CoreDeclarations& core) {
  core.section("interface", 256, SectionRank::interface, "A network interface that the node takes.");
  core.key(make_key("interface", "name", typed_element("name", ElementType::text), "",
                    "Name of the interface in the operating system."));
  core.key(make_key("interface", "access", word_element("access", {"raw", "xdp", "auto"}), "auto",
                    "How frames are read and sent. raw: packet sockets. xdp: AF_XDP. auto: xdp where the driver has "
                    "zero-copy, else raw; the log says which and why."));
  core.key(make_key("interface", "passthrough", word_element("state", {"enable", "disable"}), "disable",
                    "enable: frames that concern no object of the configuration are left to the system, which keeps "
                    "its addresses on the interface."));
  core.key(
      make_key("interface", "threads", integer_element("threads", 1, 64), "1",
               "Workers that receive from this interface. The node has as many workers as the interface with the most; "
               "that number changes with a restart only."));
}

void declare_network(CoreDeclarations& core) {
  const auto address = [](std::string name, ElementType type, std::string help) {
    ElementSpec element = typed_element("address", type);
    return make_key("network", std::move(name), std::move(element), "", std::move(help));
  };
  core.section("network", 1024, SectionRank::network, "A network behind one or more interfaces.");
  core.key(make_key("network", "name", typed_element("text", ElementType::text), "", "A name for people."));
  core.key(address("addr", ElementType::ipv4, "IPv4 network address; goes with mask."));
  core.key(address("mask", ElementType::ipv4, "IPv4 network mask, dotted; goes with addr."));
  core.key(address("real", ElementType::ipv4, "This node's own IPv4 address in the network."));
  core.key(address("virt", ElementType::ipv4, "IPv4 address that the VRRP master holds."));
  core.key(make_key("network", "mask6", integer_element("length", 1, 128), "",
                    "IPv6 prefix length; the network follows from real6 or virt6."));
  core.key(address("real6", ElementType::ipv6, "This node's own IPv6 address in the network."));
  core.key(address("virt6", ElementType::ipv6, "IPv6 address that the VRRP master holds."));
  core.key(make_key("network", "vlan", integer_element("number", 1, 4094), "",
                    "Number of the VLAN (IEEE 802.1Q) that the network's frames are tagged with on its interfaces."));
  core.key(make_list_key("network", "interfaces", "interface", reference_element("interface"),
                         "Interfaces through which the network is reached."));
  core.key(reserved_key(make_key("network", "nat", word_element("side", {"inside", "outside"}), "",
                                 "The network's side of address translation.")));
}

void declare_gateway(CoreDeclarations& core) {
  core.section("gateway", 0, SectionRank::gateway, "The default next hop of both families.");
  core.key(make_key("gateway", "ipaddr", typed_element("address", ElementType::ipv4), "", "IPv4 address."));
  core.key(make_key("gateway", "ipaddr6", typed_element("address", ElementType::ipv6), "", "IPv6 address."));
}

void declare_target(CoreDeclarations& core) {
  core.section("target", 4096, SectionRank::target, "A host that servers send their clients to.");
  core.key(make_key("target", "name", typed_element("text", ElementType::text), "", "A name for people."));
  core.key(make_key("target", "ipaddr", typed_element("address", ElementType::ipv4), "", "IPv4 address."));
  core.key(make_key("target", "ipaddr6", typed_element("address", ElementType::ipv6), "", "IPv6 address."));
  core.key(make_key("target", "port", integer_element("port", 1, 65535), "",
                    "Port of the service; without it the port of the request stays."));
  core.key(make_key("target", "protocol", word_element("protocol", {"tcp", "udp"}), "",
                    "Protocol of the service; without it every protocol."));
}

}  // namespace

Schema make_core_schema() {
  CoreDeclarations core;
  core.section("set", 0, SectionRank::set, "Settings of the whole node.");
  declare_interface(core);
  declare_network(core);
  declare_gateway(core);
  declare_target(core);
  return core.take();
}

}  // namespace trivet::core
