// The event bus: topics by name, first in first out, not re-entrant. See trivet/event.h for what topics are.
//
// Thread: control. Ownership: the bus owns kept values and subscriptions; participants are created and ended here.
// A run is a list: trace() shows every delivery in order, for tests and for people.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trivet/event.h"

namespace trivet::core {

class EventBus {
 public:
  EventBus();
  EventBus(const EventBus&) = delete;
  EventBus& operator=(const EventBus&) = delete;
  ~EventBus();

  // A participant publishes under its name and rank (rosters are merged by rank). Ending a participant drops its
  // subscriptions and its roster entries; states that it wrote are taken back.
  [[nodiscard]] Bus& join(const std::string& name, int rank);
  void set_rank(const std::string& name, int rank);
  void leave(const std::string& name);

  // Delivers everything that waits, including what deliveries publish. Returns how many values were delivered. Bounded:
  // after `delivery_limit` deliveries in one call the rest waits for the next (a publication loop must not hang the
  // node).
  std::size_t deliver();
  [[nodiscard]] bool idle() const { return queue_.empty(); }

  // Topics with their kind, writers and number of deliveries, by name.
  struct TopicInfo {
    std::string name;
    TopicKind kind = TopicKind::event;
    std::vector<std::string> writers;
    std::size_t subscribers = 0;
    std::uint64_t deliveries = 0;
  };
  [[nodiscard]] std::vector<TopicInfo> topics() const;
  // Publications that were refused (second writer of a state, differing size or kind): sentences, oldest first.
  [[nodiscard]] const std::vector<std::string>& refusals() const { return refusals_; }
  // Called with each publication as it is delivered: "vrrp trivet.role/1".
  void set_trace(std::function<void(const std::string& line)> trace) { trace_ = std::move(trace); }

  static constexpr std::size_t delivery_limit = 100'000;

 private:
  class Participant;  // NOLINT(cppcoreguidelines-virtual-class-destructor): final, its base's destructor is protected
  struct Topic;
  struct Subscription;
  struct Delivery;

  [[nodiscard]] Topic* topic(const TopicId& id, const std::string& who);
  void refuse(std::string sentence);
  void enqueue(Delivery delivery);
  std::size_t run(const Delivery& delivery);
  void run_roster(Topic& topic, const Delivery& delivery);
  void merge(Topic& topic);

  std::map<std::string, std::unique_ptr<Participant>> participants_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::deque<Delivery> queue_;
  std::vector<std::string> refusals_;
  std::function<void(const std::string&)> trace_;
  bool delivering_ = false;
};

}  // namespace trivet::core
