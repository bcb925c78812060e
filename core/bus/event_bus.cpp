#include "core/bus/event_bus.h"

#include <algorithm>

namespace trivet::core {

namespace {
constexpr std::size_t refusal_limit = 100;
using Handle = std::shared_ptr<const void>;
}  // namespace

struct EventBus::Subscription {
  std::string subscriber;
  std::function<void(const std::string&, const void*)> on_value;
  std::function<void(std::span<const void* const>)> on_list;
  bool ended = false;
};

struct EventBus::Topic {
  TopicId id;
  std::string name;                                  // owns what id.name pointed to when the library was loaded
  std::map<std::string, Handle> values;              // state: by key
  std::map<std::string, std::string> writers;        // state: key -> participant
  std::map<std::string, std::vector<Handle>> lists;  // roster: participant -> its entries
  std::vector<Handle> merged;                        // roster
  std::vector<std::shared_ptr<Subscription>> subscriptions;
  std::uint64_t deliveries = 0;
};

struct EventBus::Delivery {
  Topic* topic = nullptr;
  std::string writer;
  std::string key;
  Handle value;                        // null: taken back, or a roster
  std::shared_ptr<Subscription> only;  // set: the first delivery to a new subscriber
};

class EventBus::Participant final : public Bus {
 public:
  Participant(EventBus& bus, std::string name, int at_rank) : rank(at_rank), bus_(bus), name_(std::move(name)) {}

  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;
  ~Participant() = default;

  int rank;

 private:
  void publish_value(TopicId id, std::string key, Handle value) override {
    Topic* const topic = bus_.topic(id, name_);
    if (topic == nullptr) return;
    if (id.kind == TopicKind::state) {
      const auto [writer, is_new] = topic->writers.try_emplace(key, name_);
      if (!is_new && writer->second != name_) {
        bus_.refuse("'" + name_ + "' publishes " + topic->name + (key.empty() ? "" : " of " + key) + ", which '" +
                    writer->second + "' already writes: a state has one writer");
        return;
      }
      topic->values[key] = value;
    }
    bus_.enqueue({topic, name_, std::move(key), std::move(value), nullptr});
  }

  void publish_entries(TopicId id, std::vector<Handle> entries) override {
    Topic* const topic = bus_.topic(id, name_);
    if (topic == nullptr) return;
    topic->lists[name_] = std::move(entries);
    bus_.merge(*topic);
    bus_.enqueue({topic, name_, {}, nullptr, nullptr});
  }

  void erase_value(TopicId id, std::string key) override {
    Topic* const topic = bus_.topic(id, name_);
    if (topic == nullptr) return;
    const auto writer = topic->writers.find(key);
    if (writer == topic->writers.end() || writer->second != name_) return;
    topic->writers.erase(writer);
    topic->values.erase(key);
    bus_.enqueue({topic, name_, std::move(key), nullptr, nullptr});
  }

  void subscribe_values(TopicId id, std::function<void(const std::string&, const void*)> handler) override {
    Topic* const topic = bus_.topic(id, name_);
    if (topic == nullptr) return;
    auto subscription = std::make_shared<Subscription>(Subscription{name_, std::move(handler), {}, false});
    topic->subscriptions.push_back(subscription);
    for (const auto& [key, value] : topic->values) bus_.enqueue({topic, {}, key, value, subscription});
  }

  void subscribe_entries(TopicId id, std::function<void(std::span<const void* const>)> handler) override {
    Topic* const topic = bus_.topic(id, name_);
    if (topic == nullptr) return;
    auto subscription = std::make_shared<Subscription>(Subscription{name_, {}, std::move(handler), false});
    topic->subscriptions.push_back(subscription);
    bus_.enqueue({topic, {}, {}, nullptr, subscription});
  }

  const void* last_value(TopicId id, const std::string& key) const override {
    const auto topic = bus_.topics_.find(id.name);
    if (topic == bus_.topics_.end() || topic->second->id.size != id.size) return nullptr;
    const auto value = topic->second->values.find(key);
    return value == topic->second->values.end() ? nullptr : value->second.get();
  }

  EventBus& bus_;
  std::string name_;
};

EventBus::EventBus() = default;
EventBus::~EventBus() = default;

Bus& EventBus::join(const std::string& name, int rank) {
  auto& participant = participants_[name];
  if (participant == nullptr) participant = std::make_unique<Participant>(*this, name, rank);
  return *participant;
}

void EventBus::set_rank(const std::string& name, int rank) {
  const auto participant = participants_.find(name);
  if (participant == participants_.end() || participant->second->rank == rank) return;
  participant->second->rank = rank;
  for (const auto& [topic_name, topic] : topics_) {
    if (!topic->lists.contains(name)) continue;
    merge(*topic);
    enqueue({topic.get(), name, {}, nullptr, nullptr});
  }
}

void EventBus::leave(const std::string& name) {
  for (const auto& [topic_name, topic] : topics_) {
    std::erase_if(topic->subscriptions, [&](const std::shared_ptr<Subscription>& subscription) {
      if (subscription->subscriber == name) subscription->ended = true;
      return subscription->subscriber == name;
    });
    if (topic->lists.erase(name) != 0) {
      merge(*topic);
      enqueue({topic.get(), name, {}, nullptr, nullptr});
    }
    std::erase_if(topic->writers, [&](const auto& writer) {
      if (writer.second != name) return false;
      topic->values.erase(writer.first);
      enqueue({topic.get(), name, writer.first, nullptr, nullptr});
      return true;
    });
  }
  participants_.erase(name);
}

EventBus::Topic* EventBus::topic(const TopicId& id, const std::string& who) {
  auto found = topics_.find(id.name);
  if (found == topics_.end()) {
    auto made = std::make_unique<Topic>();
    made->id = id;
    made->name = std::string(id.name);
    made->id.name = made->name;
    found = topics_.emplace(made->name, std::move(made)).first;
  }
  Topic& topic = *found->second;
  if (topic.id.kind != id.kind || topic.id.size != id.size || topic.id.keyed != id.keyed) {
    refuse("'" + who + "' and the node disagree about the topic " + topic.name + ": it has " + std::to_string(id.size) +
           " bytes there and " + std::to_string(topic.id.size) + " here (or another kind)");
    return nullptr;
  }
  return &topic;
}

void EventBus::refuse(std::string sentence) {
  if (refusals_.size() < refusal_limit) refusals_.push_back(std::move(sentence));
}

void EventBus::enqueue(Delivery delivery) { queue_.push_back(std::move(delivery)); }

void EventBus::merge(Topic& topic) {
  std::vector<std::pair<int, const std::string*>> order;
  for (const auto& [name, entries] : topic.lists) {
    const auto participant = participants_.find(name);
    order.emplace_back(participant == participants_.end() ? 0 : participant->second->rank, &name);
  }
  std::ranges::sort(order, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : *a.second < *b.second;
  });
  topic.merged.clear();
  for (const auto& [rank, name] : order) {
    const auto& entries = topic.lists[*name];
    topic.merged.insert(topic.merged.end(), entries.begin(), entries.end());
  }
}

std::size_t EventBus::deliver() {
  if (delivering_) return 0;
  delivering_ = true;
  std::size_t count = 0;
  while (!queue_.empty() && count < delivery_limit) {
    const Delivery delivery = std::move(queue_.front());
    queue_.pop_front();
    count += run(delivery);
  }
  delivering_ = false;
  return count;
}

std::size_t EventBus::run(const Delivery& delivery) {
  Topic& topic = *delivery.topic;
  ++topic.deliveries;
  if (trace_ && delivery.only == nullptr) {
    trace_(delivery.writer + ' ' + topic.name + (delivery.key.empty() ? "" : ' ' + delivery.key));
  }
  if (topic.id.kind == TopicKind::roster) {
    run_roster(topic, delivery);
    return 1;
  }
  if (delivery.only != nullptr) {
    if (!delivery.only->ended) delivery.only->on_value(delivery.key, delivery.value.get());
    return 1;
  }
  // A copy: a handler may subscribe, and a participant may leave.
  const auto subscriptions = topic.subscriptions;
  for (const auto& subscription : subscriptions) {
    if (!subscription->ended) subscription->on_value(delivery.key, delivery.value.get());
  }
  return 1;
}

void EventBus::run_roster(Topic& topic, const Delivery& delivery) {
  const std::vector<Handle> hold = topic.merged;
  std::vector<const void*> entries;
  entries.reserve(hold.size());
  for (const Handle& entry : hold) entries.push_back(entry.get());
  if (delivery.only != nullptr) {
    if (!delivery.only->ended) delivery.only->on_list(entries);
    return;
  }
  const auto subscriptions = topic.subscriptions;
  for (const auto& subscription : subscriptions) {
    if (!subscription->ended) subscription->on_list(entries);
  }
}

std::vector<EventBus::TopicInfo> EventBus::topics() const {
  std::vector<TopicInfo> list;
  for (const auto& [name, topic] : topics_) {
    TopicInfo info{name, topic->id.kind, {}, topic->subscriptions.size(), topic->deliveries};
    for (const auto& [key, writer] : topic->writers) info.writers.push_back(writer);
    for (const auto& [writer, entries] : topic->lists) info.writers.push_back(writer);
    std::ranges::sort(info.writers);
    const auto repeated = std::ranges::unique(info.writers);
    info.writers.erase(repeated.begin(), repeated.end());
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace trivet::core
