#include "trivet/testkit/virtual_network.h"

#include <algorithm>
#include <cstring>

#include "trivet/net/hash.h"

namespace trivet::testkit {

struct VirtualNetwork::Port {
  std::string name;
  PortHandlers handlers;
  std::optional<CableId> cable;
};

struct VirtualNetwork::Cable {
  PortId a = 0;
  PortId b = 0;
  CableOptions options;
  bool is_cut = false;
  std::uint64_t cuts = 0;  // frames that were under way when it was cut are lost
  std::function<bool(const Bytes&)> filter;
};

struct VirtualNetwork::Switch {
  struct Place {
    PortId port = 0;
    Time seen{};
  };
  std::string name;
  Duration ageing{};
  std::vector<PortId> ports;
  std::map<MacAddress, Place> table;
};

VirtualNetwork::VirtualNetwork(std::uint64_t seed) : random_(seed) {}
VirtualNetwork::~VirtualNetwork() = default;

VirtualNetwork::PortId VirtualNetwork::add_port(std::string name, PortHandlers handlers) {
  ports_.push_back(std::make_unique<Port>(Port{std::move(name), std::move(handlers), std::nullopt}));
  return ports_.size() - 1;
}

VirtualNetwork::CableId VirtualNetwork::connect(PortId a, PortId b, CableOptions options) {
  auto cable = std::make_unique<Cable>();
  cable->a = a;
  cable->b = b;
  cable->options = options;
  cables_.push_back(std::move(cable));
  const CableId id = cables_.size() - 1;
  for (const PortId end : {a, b}) {
    ports_[end]->cable = id;
    if (ports_[end]->handlers.on_link) ports_[end]->handlers.on_link(true);
  }
  return id;
}

std::size_t VirtualNetwork::add_switch(std::string name, Duration ageing) {
  auto made = std::make_unique<Switch>();
  made->name = std::move(name);
  made->ageing = ageing;
  switches_.push_back(std::move(made));
  return switches_.size() - 1;
}

VirtualNetwork::CableId VirtualNetwork::plug(std::size_t switch_number, PortId port) {
  Switch& device = *switches_.at(switch_number);
  const PortId own = ports_.size();
  const auto on_frame = [this, &device, own](const Bytes& frame) {
    if (frame.size() < 14) return;
    MacAddress destination;
    MacAddress source;
    std::memcpy(destination.bytes.data(), frame.data(), 6);
    std::memcpy(source.bytes.data(), frame.data() + 6, 6);
    if (!source.is_multicast()) device.table[source] = {own, now_};
    const auto place = device.table.find(destination);
    const bool known = place != device.table.end() && now_ - place->second.seen < device.ageing;
    if (!destination.is_multicast() && known) {
      if (place->second.port != own) send(place->second.port, frame);
      return;
    }
    for (const PortId other : device.ports) {
      if (other != own) send(other, frame);
    }
  };
  const auto on_link = [&device, own](bool up) {
    if (!up) std::erase_if(device.table, [own](const auto& entry) { return entry.second.port == own; });
  };
  add_port(device.name + ':' + ports_[port]->name, {on_frame, on_link});
  device.ports.push_back(own);
  return connect(own, port);
}

void VirtualNetwork::add_actor(const void* owner, Actor actor) { actors_.emplace_back(owner, std::move(actor)); }

void VirtualNetwork::remove_actor(const void* owner) {
  std::erase_if(actors_, [owner](const auto& entry) { return entry.first == owner; });
}

void VirtualNetwork::set_cut(CableId cable, bool is_cut) {
  Cable& wire = *cables_.at(cable);
  if (wire.is_cut == is_cut) return;
  wire.is_cut = is_cut;
  if (is_cut) ++wire.cuts;
  for (const PortId end : {wire.a, wire.b}) {
    if (ports_[end]->handlers.on_link) ports_[end]->handlers.on_link(!is_cut);
  }
}

void VirtualNetwork::cut(CableId cable) { set_cut(cable, true); }
void VirtualNetwork::repair(CableId cable) { set_cut(cable, false); }
bool VirtualNetwork::is_cut(CableId cable) const { return cables_.at(cable)->is_cut; }
void VirtualNetwork::set_options(CableId cable, CableOptions options) { cables_.at(cable)->options = options; }
void VirtualNetwork::set_filter(CableId cable, std::function<bool(const Bytes&)> filter) {
  cables_.at(cable)->filter = std::move(filter);
}

void VirtualNetwork::on_frame(std::function<void(Time, CableId, const std::string&, const Bytes&)> observer) {
  observer_ = std::move(observer);
}

bool VirtualNetwork::link_up(PortId port) const {
  const auto& cable = ports_.at(port)->cable;
  return cable && !cables_[*cable]->is_cut;
}

void VirtualNetwork::send(PortId from, Bytes frame) {
  if (!link_up(from)) return;
  const CableId id = *ports_[from]->cable;
  Cable& cable = *cables_[id];
  fingerprint_ = hash_bytes(frame, fingerprint_ ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ from);
  if (observer_) observer_(now_, id, ports_[from]->name, frame);
  if (cable.filter && cable.filter(frame)) return;
  if (cable.options.loss > 0 && random_.unit() < cable.options.loss) return;
  const PortId to = cable.a == from ? cable.b : cable.a;
  const int copies = cable.options.duplication > 0 && random_.unit() < cable.options.duplication ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    Duration delay = cable.options.delay;
    if (cable.options.jitter > Duration{}) {
      delay +=
          Duration{static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(cable.options.jitter.count())))};
    }
    plan(now_ + delay, [this, id, to, cuts = cable.cuts, frame] {
      if (cables_[id]->cuts == cuts) deliver(id, to, frame);
    });
  }
}

void VirtualNetwork::deliver(CableId cable, PortId to, const Bytes& frame) {
  if (!cables_[cable]->is_cut && ports_[to]->handlers.on_frame) ports_[to]->handlers.on_frame(frame);
}

void VirtualNetwork::plan(Time at, std::function<void()> action) {
  events_.push({at, next_number_++, std::move(action)});
}

void VirtualNetwork::after(Duration delay, std::function<void()> action) { plan(now_ + delay, std::move(action)); }

// Does what comes next, if that is not after `limit`. Frames and planned actions go before actors of the same time.
bool VirtualNetwork::run_next(Time limit) {
  const Time event = events_.empty() ? never : events_.top().at;
  std::size_t first = actors_.size();
  Time actor = never;
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    const Time at = std::max(actors_[i].second.poll_at(), now_);
    if (at < actor) {
      actor = at;
      first = i;
    }
  }
  if (std::min(event, actor) > limit) return false;
  if (event <= actor) {
    const auto action = events_.top().action;
    now_ = std::max(now_, event);
    events_.pop();
    action();
  } else {
    // A deadline that a step leaves where it is must not stop the clock.
    now_ = std::max(actor, now_ + std::chrono::nanoseconds{1});
    const auto step = actors_[first].second.step;
    step(now_);
  }
  return true;
}

void VirtualNetwork::run_for(Duration duration) {
  const Time end = now_ + duration;
  while (run_next(end)) {
  }
  now_ = end;
}

bool VirtualNetwork::run_until(const std::function<bool()>& condition, Duration limit) {
  const Time end = now_ + limit;
  while (!condition()) {
    if (!run_next(end)) {
      now_ = end;
      return condition();
    }
  }
  return true;
}

}  // namespace trivet::testkit
