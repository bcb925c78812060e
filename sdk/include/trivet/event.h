// The event bus: facts that modules and the core tell each other.
//
// A topic is a plain struct with two constants:
//     static constexpr std::string_view topic = "trivet.role/1";   // identity: name and version, never a type address
//     static constexpr TopicKind kind = TopicKind::state;
// event   delivered to present subscribers, not kept.
// state   one writer; the last value is kept and delivered to later subscribers at once. With a member function
//         `std::string key() const` there is one value a key.
// roster  many writers, each publishes its whole list; readers get all lists merged in the order of the modules line,
//         the core's first.
//
// Thread: control only. Delivery is first in first out and not re-entrant: what a subscriber publishes is delivered
// after the present delivery has ended. A subscription lives until stop() of the module that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace trivet {

enum class TopicKind : std::uint8_t { event, state, roster };

struct TopicId {
  std::string_view name;
  TopicKind kind = TopicKind::event;
  std::size_t size = 0;  // sizeof the struct; differing sizes of one name are refused
  bool keyed = false;
};

template <class T>
concept Keyed = requires(const T& value) {
  { value.key() } -> std::convertible_to<std::string>;
};

template <class T>
[[nodiscard]] constexpr TopicId topic_id() {
  return {T::topic, T::kind, sizeof(T), Keyed<T>};
}

// One participant's view of the bus: what it publishes carries its name. Made by the core (Host::bus()).
class Bus {
 public:
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  template <class T>
  void publish(T value) {
    static_assert(T::kind != TopicKind::roster, "a roster is published as a whole list");
    std::string key;
    if constexpr (Keyed<T>) key = value.key();
    publish_value(topic_id<T>(), std::move(key), std::make_shared<const T>(std::move(value)));
  }
  // Replaces this writer's part of a roster.
  template <class T>
  void publish_list(std::vector<T> values) {
    static_assert(T::kind == TopicKind::roster);
    auto list = std::make_shared<const std::vector<T>>(std::move(values));
    std::vector<std::shared_ptr<const void>> entries;
    entries.reserve(list->size());
    for (const T& value : *list) entries.emplace_back(list, &value);
    publish_entries(topic_id<T>(), std::move(entries));
  }
  // Takes back a state (of one key). Subscribers of on_erase hear it.
  template <class T>
  void erase(std::string key = {}) {
    erase_value(topic_id<T>(), std::move(key));
  }

  // State and event: called for each value. For a state that already has values: also once for each, soon.
  template <class T>
  void subscribe(std::function<void(const T&)> handler) {
    static_assert(T::kind != TopicKind::roster);
    subscribe_values(topic_id<T>(), [handler = std::move(handler)](const std::string&, const void* value) {
      if (value != nullptr) handler(*static_cast<const T*>(value));
    });
  }
  // Keyed states: called with the key when a value is taken back.
  template <class T>
  void on_erase(std::function<void(const std::string& key)> handler) {
    subscribe_values(topic_id<T>(), [handler = std::move(handler)](const std::string& key, const void* value) {
      if (value == nullptr) handler(key);
    });
  }
  // Rosters: called with the merged list after each change, and once soon after subscribing.
  template <class T>
  void subscribe_list(std::function<void(const std::vector<T>&)> handler) {
    static_assert(T::kind == TopicKind::roster);
    subscribe_entries(topic_id<T>(), [handler = std::move(handler)](std::span<const void* const> entries) {
      std::vector<T> list;
      list.reserve(entries.size());
      for (const void* entry : entries) list.push_back(*static_cast<const T*>(entry));
      handler(list);
    });
  }

  // The value that is kept now; null when there is none. Valid until the next publication of the topic.
  template <class T>
  [[nodiscard]] const T* last(const std::string& key = {}) const {
    static_assert(T::kind == TopicKind::state);
    return static_cast<const T*>(last_value(topic_id<T>(), key));
  }

 protected:
  Bus() = default;
  ~Bus() = default;

 private:
  virtual void publish_value(TopicId topic, std::string key, std::shared_ptr<const void> value) = 0;
  virtual void publish_entries(TopicId topic, std::vector<std::shared_ptr<const void>> entries) = 0;
  virtual void erase_value(TopicId topic, std::string key) = 0;
  virtual void subscribe_values(TopicId topic, std::function<void(const std::string&, const void*)> handler) = 0;
  virtual void subscribe_entries(TopicId topic, std::function<void(std::span<const void* const>)> handler) = 0;
  virtual const void* last_value(TopicId topic, const std::string& key) const = 0;
};

}  // namespace trivet
