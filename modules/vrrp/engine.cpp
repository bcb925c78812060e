#include "vrrp/engine.h"

#include <algorithm>
#include <utility>

#include "vrrp/words.h"

namespace trivet::vrrp {
namespace {

constexpr std::uint32_t remembered_ids = 64;
constexpr Duration complaint_pause = std::chrono::seconds(60);

void count(Actions& out, Tally tally) { out.emplace_back(Count{tally}); }

}  // namespace

// --- facts ---

Actions Engine::configure(const Config& config, Time now) {
  Actions out;
  const bool identity_changes =
      config.has_section != config_.has_section || config.vrid != config_.vrid || config.network != config_.network;
  const bool terms_change = config.interval != config_.interval;
  if (config_.has_section && identity_changes) leave("the configuration has changed", now, out);
  // The new network's attachment follows; the old one's address must not speak for it.
  if (config.network != config_.network) attachment_ = {};
  config_ = config;
  tracker_.configure(config);
  if (identity_changes && peers_.next_expiry({}) != never) {
    peers_.clear();
    out.emplace_back(PeersChanged{});
  }
  last_complaint_.clear();
  if (!config_.has_section) {
    change_role(Role::master, "no vrrp section: this node is always master", now, out);
    return out;
  }
  // Master without a section, and now one of several: it has to hear first whether there is a master.
  if (identity_changes && role_ != Role::init) change_role(Role::init, "starting", now, out);
  settle(now, out);
  if (terms_change && role_ == Role::master) advertise(effective_, now, out);
  return out;
}

Actions Engine::attach(const Attachment& attachment, Time now) {
  Actions out;
  if (attachment == attachment_) return out;
  const bool address_changes = attachment.address != attachment_.address;
  if (config_.has_section && address_changes) leave("the address of the VRRP network has changed", now, out);
  attachment_ = attachment;
  last_complaint_.clear();
  settle(now, out);
  return out;
}

Actions Engine::set_link(InterfaceId interface, bool up, Time now) {
  Actions out;
  tracker_.set_link(interface, up);
  settle(now, out);
  return out;
}

Actions Engine::set_gateway(Health health, Time last_answer, Time now) {
  Actions out;
  tracker_.set_gateway(health, last_answer);
  settle(now, out);
  return out;
}

Actions Engine::clear_gateway(Time now) {
  Actions out;
  tracker_.clear_gateway();
  settle(now, out);
  return out;
}

Actions Engine::set_target(const std::string& key, Health health, Time now) {
  Actions out;
  tracker_.set_target(key, health);
  settle(now, out);
  return out;
}

Actions Engine::clear_target(const std::string& key, Time now) {
  Actions out;
  tracker_.clear_target(key);
  settle(now, out);
  return out;
}

// Draws the consequences of whatever has changed.
void Engine::settle(Time now, Actions& out) {
  if (!config_.has_section) return;
  const bool decided = tracker_.all_decided();
  if (decided && !was_decided_) stable_since_ = now;
  was_decided_ = decided;

  const std::string obstacle = why_not_ready();
  if (!obstacle.empty()) {
    update_priority(now, out);
    leave(obstacle, now, out);
    return;
  }
  update_priority(now, out);
  if (role_ == Role::init) start(now, out);
  // A second look: what justified the attempt may be gone.
  if (attempt_ && (effective_ <= attempt_->priority || !may_preempt(now))) attempt_.reset();
}

void Engine::update_priority(Time now, Actions& out) {
  const std::uint8_t effective = tracker_.effective_priority();
  if (effective == effective_) return;
  const std::string causes = tracker_.lowered_by();
  if (effective_ != 0) {
    out.emplace_back(Notice{false, "effective priority " + std::to_string(effective_) + " -> " +
                                       std::to_string(effective) + (causes.empty() ? "" : ": " + causes)});
  }
  effective_ = effective;
  stable_since_ = now;
  if (role_ == Role::master && why_not_ready().empty()) advertise(effective_, now, out);
}

std::string Engine::why_not_ready() const {
  const std::string network = "network " + std::to_string(config_.network);
  if (!config_.inactive.empty()) return config_.inactive;
  if (!attachment_.address) return network + " is not in service";
  if (up_interfaces().empty()) return "no interface of " + network + " has link";
  return {};
}

std::vector<InterfaceId> Engine::up_interfaces() const {
  std::vector<InterfaceId> up;
  for (const InterfaceId interface : attachment_.interfaces) {
    if (tracker_.link_up(interface)) up.push_back(interface);
  }
  return up;
}

// --- roles ---

void Engine::change_role(Role role, std::string reason, Time now, Actions& out) {
  if (role == role_ && reason == reason_) return;
  const Role from = std::exchange(role_, role);
  reason_ = std::move(reason);
  if (from != role_) since_ = now;
  if (from != Role::master && role_ == Role::master) count(out, Tally::became_master);
  out.emplace_back(ChangeRole{from, role_, reason_});
}

// RFC 3768 section 6.4.1.
void Engine::start(Time now, Actions& out) {
  stable_since_ = now;
  last_master_ = {};
  if (config_.priority == owner_priority) {
    become_master("priority 255 owns the addresses", now, out);
  } else {
    become_backup("listening for a master", now, out);
  }
}

// Into init, with priority 0 where somebody can hear it.
void Engine::leave(std::string reason, Time now, Actions& out) {
  if (role_ == Role::master && config_.has_section) advertise(leaving_priority, now, out);
  advert_at_ = never;
  attempt_.reset();
  change_role(Role::init, std::move(reason), now, out);
}

void Engine::become_master(std::string reason, Time now, Actions& out) {
  attempt_.reset();
  advertise(effective_, now, out);
  change_role(Role::master, std::move(reason), now, out);
}

void Engine::become_backup(std::string reason, Time now, Actions& out) {
  advert_at_ = never;
  attempt_.reset();
  silent_since_ = now;
  silence_ = Silence::master_down;
  change_role(Role::backup, std::move(reason), now, out);
}

void Engine::advertise(std::uint8_t priority, Time now, Actions& out) {
  advert_at_ = now + interval();
  last_sent_ = now;
  std::vector<InterfaceId> interfaces = up_interfaces();
  if (interfaces.empty() || !attachment_.address) return;
  Advert advert{config_.vrid, priority, config_.interval, attachment_.virtual_addresses};
  out.emplace_back(SendAdvert{std::move(advert), *attachment_.address, next_id_, std::move(interfaces)});
  ++next_id_;
  ids_used_ = std::min(ids_used_ + 1, remembered_ids);
  count(out, Tally::sent);
  if (priority == leaving_priority) count(out, Tally::sent_leaving);
}

// --- advertisements ---

Actions Engine::receive(const Received& received, Time now) {
  Actions out;
  count(out, Tally::received);
  if (!accept(received, now, out)) return out;
  note_peer(received, now, out);
  if (received.advert.priority == leaving_priority) count(out, Tally::received_leaving);
  if (role_ == Role::master) {
    receive_as_master(received, now, out);
  } else {
    receive_as_backup(received, now, out);
  }
  return out;
}

// RFC 3768 section 7.1, what depends on the configuration.
bool Engine::accept(const Received& received, Time now, Actions& out) {
  const Advert& advert = received.advert;
  const auto refuse = [&](Tally tally) {
    count(out, tally);
    return false;
  };
  if (!config_.has_section || role_ == Role::init) return refuse(Tally::not_running);
  if (std::ranges::find(attachment_.interfaces, received.interface) == attachment_.interfaces.end()) {
    return refuse(Tally::wrong_interface);
  }
  if (advert.vrid != config_.vrid) return refuse(Tally::other_vrid);
  if (is_own(received, now, out)) return false;

  const std::string who = to_string(received.source);
  if (advert.interval != config_.interval) {
    complain(Complaint::interval,
             who + " advertises every " + std::to_string(advert.interval) + " s, we every " +
                 std::to_string(config_.interval) + " s: ignored until both have the same interval",
             now, out);
    return refuse(Tally::interval_mismatch);
  }
  if (advert.addresses != attachment_.virtual_addresses) {
    count(out, Tally::address_mismatch);
    complain(Complaint::addresses,
             who + " advertises the addresses " + words::list(advert.addresses) + ", we " +
                 words::list(attachment_.virtual_addresses),
             now, out);
  }
  return true;
}

bool Engine::is_own(const Received& received, Time now, Actions& out) {
  if (received.source != attachment_.address) return false;
  const auto age = static_cast<std::uint16_t>(next_id_ - 1 - received.id);
  const std::string where = " on interface " + std::to_string(received.interface);
  if (age < ids_used_) {
    count(out, Tally::own_loop);
    complain(Complaint::loop, "loop: an advertisement of this node came back" + where, now, out);
  } else {
    count(out, Tally::duplicate_address);
    complain(Complaint::duplicate,
             "duplicate address: another node advertises from our " + to_string(received.source) + where, now, out);
  }
  return true;
}

// At most one line a minute of each kind; the counters have the rest.
void Engine::complain(Complaint complaint, std::string text, Time now, Actions& out) {
  last_complaint_ = text;
  last_complaint_at_ = now;
  Time& last = complained_.at(static_cast<std::size_t>(complaint));
  if (last != Time{} && now - last < complaint_pause) return;
  last = now;
  out.emplace_back(Notice{true, std::move(text)});
}

void Engine::note_peer(const Received& received, Time now, Actions& out) {
  const Advert& advert = received.advert;
  const bool news = advert.priority == leaving_priority
                        ? peers_.remove(received.source)
                        : peers_.heard({received.source, advert.priority, received.interface, now}, interval());
  if (news) out.emplace_back(PeersChanged{});
}

// RFC 3768 section 6.4.3.
void Engine::receive_as_master(const Received& received, Time now, Actions& out) {
  const std::uint8_t priority = received.advert.priority;
  const bool better = priority > effective_ || (priority == effective_ && received.source > *attachment_.address);
  if (better) {
    last_master_ = received.source;
    become_backup(words::beaten_by(received.source, priority, effective_), now, out);
  } else if (priority == leaving_priority || now - last_sent_ >= interval() / 4) {
    advertise(effective_, now, out);
  }
}

// RFC 3768 section 6.4.2.
void Engine::receive_as_backup(const Received& received, Time now, Actions& out) {
  const std::uint8_t priority = received.advert.priority;
  if (priority == leaving_priority) {
    // The same word comes once on each interface: the first counts.
    if (silence_ == Silence::skew) return;
    attempt_.reset();
    silence_ = Silence::skew;
    silent_since_ = now;
    last_master_ = received.source;
    return;
  }
  silence_ = Silence::master_down;
  silent_since_ = now;
  last_master_ = received.source;
  if (priority < effective_ && may_preempt(now)) {
    outbid(received, now, out);
  } else {
    attempt_.reset();
  }
}

void Engine::outbid(const Received& received, Time now, Actions& out) {
  const bool is_new = !attempt_;
  if (is_new) attempt_ = Attempt{now, {}, {}, 0};
  attempt_->master = received.source;
  attempt_->priority = received.advert.priority;
  if (has_fresh_answer()) return;
  if (is_new || now - attempt_->asked >= interval() / 2) {
    attempt_->asked = now;
    out.emplace_back(AskGateway{});
  }
}

bool Engine::may_preempt(Time now) const {
  if (config_.priority == owner_priority) return true;
  return config_.preempt && tracker_.all_decided() && now - stable_since_ >= config_.hold;
}

bool Engine::has_fresh_answer() const {
  return !tracker_.gateway_can_be_asked() || (attempt_ && tracker_.last_gateway_answer() >= attempt_->since);
}

// --- time ---

Time Engine::silence_ends() const {
  const Duration patience = silence_ == Silence::skew ? skew_time() : 3 * interval() + skew_time();
  return silent_since_ + patience;
}

Time Engine::takeover_at() const { return attempt_ && has_fresh_answer() ? attempt_->since + skew_time() : never; }

NextTimer Engine::next_timer() const {
  if (!config_.has_section || role_ == Role::init) return {};
  if (role_ == Role::master) return {"advertisement", advert_at_};
  const Time takeover = takeover_at();
  const Time silence = silence_ends();
  if (takeover <= silence) return {"takeover", takeover};
  return {silence_ == Silence::skew ? "skew" : "master down", silence};
}

Time Engine::poll_at() const { return std::min(next_timer().at, peers_.next_expiry(peer_lifetime())); }

Actions Engine::on_time(Time now) {
  Actions out;
  if (peers_.expire(now, peer_lifetime())) out.emplace_back(PeersChanged{});
  if (!config_.has_section) return out;
  if (role_ == Role::backup) {
    expire_as_backup(now, out);
  } else if (role_ == Role::master && advert_at_ <= now) {
    advertise(effective_, now, out);
  }
  return out;
}

void Engine::expire_as_backup(Time now, Actions& out) {
  if (takeover_at() <= now) {
    become_master(words::outbids(attempt_->master, attempt_->priority, effective_), now, out);
  } else if (silence_ends() <= now) {
    const bool left = silence_ == Silence::skew;
    become_master(left ? words::left(last_master_) : words::silent(last_master_, now - silent_since_), now, out);
  }
}

Actions Engine::stop(Time now) {
  Actions out;
  leave("stopped", now, out);
  return out;
}

std::string Engine::preemption(Time now) const {
  if (config_.priority == owner_priority) return "always (priority 255)";
  if (!config_.preempt) return "off";
  if (!tracker_.all_decided()) return "held: checks are undecided";
  const Duration stable = now - stable_since_;
  if (stable < config_.hold) {
    return "held: stable for " + words::seconds(stable) + " of " + words::seconds(config_.hold);
  }
  if (attempt_ && !has_fresh_answer()) return "waiting for an answer of the gateway";
  return "ready";
}

}  // namespace trivet::vrrp
