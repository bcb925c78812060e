#include "core/bus/event_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivet::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ping {
  static constexpr std::string_view topic = "test.ping/1";
  static constexpr TopicKind kind = TopicKind::event;
  int number = 0;
};
struct Level {
  static constexpr std::string_view topic = "test.level/1";
  static constexpr TopicKind kind = TopicKind::state;
  int value = 0;
};
struct LevelGrown {
  static constexpr std::string_view topic = "test.level/1";
  static constexpr TopicKind kind = TopicKind::state;
  int value = 0;
  int more = 0;
};
struct Door {
  static constexpr std::string_view topic = "test.door/1";
  static constexpr TopicKind kind = TopicKind::state;
  int room = 0;
  bool open = false;
  [[nodiscard]] std::string key() const { return std::to_string(room); }
};
struct Guest {
  static constexpr std::string_view topic = "test.guests/1";
  static constexpr TopicKind kind = TopicKind::roster;
  std::string name;
};

std::vector<std::string> names(const std::vector<Guest>& guests) {
  std::vector<std::string> list;
  for (const Guest& guest : guests) list.push_back(guest.name);
  return list;
}

TEST(EventBus, DeliversEventsInTheOrderOfPublicationEvenWhenHandlersPublish) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  Bus& b = bus.join("b", 1);
  std::vector<int> heard;
  b.subscribe<Ping>([&](const Ping& ping) {
    heard.push_back(ping.number);
    if (ping.number == 1) {
      b.publish(Ping{10});
      EXPECT_EQ(bus.deliver(), 0U) << "delivery must not be re-entrant";
    }
  });
  a.publish(Ping{1});
  a.publish(Ping{2});
  EXPECT_THAT(heard, IsEmpty());
  bus.deliver();
  EXPECT_THAT(heard, ElementsAre(1, 2, 10));
}

TEST(EventBus, EventsAreNotKeptForLaterSubscribers) {
  EventBus bus;
  bus.join("a", 0).publish(Ping{1});
  bus.deliver();
  int heard = 0;
  bus.join("b", 1).subscribe<Ping>([&](const Ping&) { ++heard; });
  bus.deliver();
  EXPECT_EQ(heard, 0);
}

TEST(EventBus, AStateIsKeptAndDeliveredToLaterSubscribers) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  a.publish(Level{7});
  bus.deliver();
  int heard = 0;
  Bus& b = bus.join("b", 1);
  b.subscribe<Level>([&](const Level& level) { heard = level.value; });
  bus.deliver();
  EXPECT_EQ(heard, 7);
  ASSERT_NE(b.last<Level>(), nullptr);
  EXPECT_EQ(b.last<Level>()->value, 7);
}

TEST(EventBus, AStateHasOneWriterAndTheRefusalNamesBoth) {
  EventBus bus;
  Bus& a = bus.join("first", 0);
  Bus& b = bus.join("second", 1);
  a.publish(Level{1});
  b.publish(Level{2});
  bus.deliver();
  EXPECT_EQ(a.last<Level>()->value, 1);
  ASSERT_EQ(bus.refusals().size(), 1U);
  EXPECT_THAT(bus.refusals()[0], HasSubstr("'second' publishes test.level/1, which 'first' already writes"));
}

TEST(EventBus, ATopicOfAnotherSizeUnderTheSameNameIsRefused) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  Bus& b = bus.join("b", 1);
  a.publish(Level{1});
  b.publish(LevelGrown{2, 3});
  EXPECT_EQ(b.last<LevelGrown>(), nullptr);
  ASSERT_EQ(bus.refusals().size(), 1U);
  EXPECT_THAT(bus.refusals()[0], HasSubstr("disagree about the topic test.level/1"));
}

TEST(EventBus, KeyedStatesHaveOneValueAKeyAndCanBeTakenBack) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  Bus& b = bus.join("b", 1);
  std::vector<std::string> story;
  b.subscribe<Door>([&](const Door& door) { story.push_back(door.key() + (door.open ? " open" : " closed")); });
  b.on_erase<Door>([&](const std::string& key) { story.push_back(key + " gone"); });
  a.publish(Door{1, true});
  a.publish(Door{2, false});
  a.erase<Door>("1");
  bus.deliver();
  EXPECT_THAT(story, ElementsAre("1 open", "2 closed", "1 gone"));
  EXPECT_EQ(b.last<Door>("1"), nullptr);
  EXPECT_NE(b.last<Door>("2"), nullptr);
}

TEST(EventBus, RostersAreMergedByRankAndFollowWhoLeaves) {
  EventBus bus;
  Bus& late = bus.join("late", 9);
  Bus& early = bus.join("early", 1);
  std::vector<std::string> seen;
  bus.join("reader", 5).subscribe_list<Guest>([&](const std::vector<Guest>& guests) { seen = names(guests); });
  late.publish_list<Guest>({{"z"}});
  early.publish_list<Guest>({{"a"}, {"b"}});
  bus.deliver();
  EXPECT_THAT(seen, ElementsAre("a", "b", "z"));
  bus.set_rank("late", 0);
  bus.deliver();
  EXPECT_THAT(seen, ElementsAre("z", "a", "b"));
  bus.leave("early");
  bus.deliver();
  EXPECT_THAT(seen, ElementsAre("z"));
}

TEST(EventBus, WhoLeavesHearsNothingMoreAndItsStatesAreTakenBack) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  Bus& b = bus.join("b", 1);
  int heard = 0;
  int gone = 0;
  b.subscribe<Level>([&](const Level&) { ++heard; });
  bus.join("c", 2).on_erase<Level>([&](const std::string&) { ++gone; });
  a.publish(Level{1});
  bus.leave("b");
  bus.leave("a");
  bus.deliver();
  EXPECT_EQ(heard, 0);
  EXPECT_EQ(gone, 1);
}

TEST(EventBus, APublicationLoopDoesNotHang) {
  EventBus bus;
  Bus& a = bus.join("a", 0);
  a.subscribe<Ping>([&](const Ping& ping) { a.publish(Ping{ping.number + 1}); });
  a.publish(Ping{0});
  EXPECT_EQ(bus.deliver(), EventBus::delivery_limit);
  EXPECT_FALSE(bus.idle());
}

TEST(EventBus, TheTraceListsDeliveriesWithTheirWriters) {
  EventBus bus;
  std::vector<std::string> trace;
  bus.set_trace([&](const std::string& line) { trace.push_back(line); });
  bus.join("a", 0).publish(Door{3, true});
  bus.join("b", 1).publish(Ping{1});
  bus.deliver();
  EXPECT_THAT(trace, ElementsAre("a test.door/1 3", "b test.ping/1"));
}

}  // namespace
}  // namespace trivet::core
