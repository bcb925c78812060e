#include "rt/module.h"

#include <algorithm>
#include <string>
#include <utility>

#include "trivet/forwarding.h"

namespace trivet::rt {
namespace {

struct RefusalName {
  Refusal refusal;
  const char* name;
  const char* help;
};

constexpr std::array refusal_names{
    RefusalName{Refusal::own_address, "own-address", "To an address of this node, and no module took it."},
    RefusalName{Refusal::forwarding_off, "forwarding-off", "To a foreign address while `set ipforwarding` is 0."},
    RefusalName{Refusal::own_source, "own-source", "From the network with an address of this node as source."},
    RefusalName{Refusal::bad_source, "bad-source", "Source is unspecified, a group, loopback or reserved."},
    RefusalName{Refusal::link_local, "link-local", "Source or destination is valid on one link only."},
    RefusalName{Refusal::directed_broadcast, "directed-broadcast", "To all hosts of a connected IPv4 network."},
    RefusalName{Refusal::not_routable, "not-routable", "Destination is unspecified, loopback or reserved."}};
static_assert(refusal_names.size() == static_cast<std::size_t>(Refusal::count));

}  // namespace

Module* create_module() { return new RouterModule; }
void destroy_module(Module* module) { delete module; }

void RouterModule::declare(Setup& setup) {
  setup.add_key(make_key("set", "ipforwarding", integer_element("state", 0, 1), "0",
                         "1: route between the networks and to the gateway."));
  setup.wants(packet_class::ipv4 | packet_class::ipv6);
  for (const RefusalName& entry : refusal_names) {
    handles_.drops[static_cast<std::size_t>(entry.refusal)] = setup.drop_reason(entry.name, entry.help);
  }
  handles_.routed = setup.counter("routed", "Packets passed on between networks or to the gateway.");
  setup.subscribes<Route>();
  setup.command({"show routes", "", "Routes that this node uses, longest prefix first."},
                [this](const std::vector<std::string>&, Time, CommandReply reply) { reply(show_routes()); });
}

void RouterModule::start(Host& host, Time /*now*/) {
  host_ = &host;
  host.bus().subscribe_list<Route>([this](const std::vector<Route>& routes) {
    routes_ = routes;
    std::sort(routes_.begin(), routes_.end(), [](const Route& left, const Route& right) {
      const bool left_is_v4 = left.prefix.address.is_v4();
      if (left_is_v4 != right.prefix.address.is_v4()) return left_is_v4;
      if (left.prefix.length != right.prefix.length) return left.prefix.length > right.prefix.length;
      return left.prefix.address < right.prefix.address;
    });
  });
}

std::unique_ptr<Worker> RouterModule::make_worker(WorkerContext& context) {
  return std::make_unique<RouterWorker>(context, handles_);
}

Report RouterModule::show_routes() const {
  Report report;
  report.fields.push_back({"ip_forwarding", "IP forwarding", Cell{host_->forwarding().ip_forwarding()}, ""});
  Table table{.key = "routes",
              .title = "",
              .columns = {{"prefix", "Prefix"}, {"via", "Via"}, {"network", "Network"}, {"kind", "Kind"}},
              .rows = {}};
  for (const Route& route : routes_) {
    const bool is_default = route.prefix.length == 0;
    table.rows.push_back({Cell{to_string(route.prefix)}, route.via ? Cell{to_string(*route.via)} : Cell{},
                          Cell{std::uint64_t{route.network}},
                          Cell{std::string{!route.via ? "connected" : (is_default ? "gateway" : "static")}}});
  }
  report.tables.push_back(std::move(table));
  if (!host_->forwarding().ip_forwarding()) {
    report.notes.emplace_back("set ipforwarding is 0: only balanced packets use these routes.");
  }
  return report;
}

}  // namespace trivet::rt
