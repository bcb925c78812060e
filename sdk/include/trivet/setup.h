// What a module tells the core about itself before anything runs. No side effects: `describe` uses it too.
//
// Thread: control. Handles are valid for the life of the module object.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/command.h"
#include "trivet/config.h"
#include "trivet/event.h"
#include "trivet/metrics.h"
#include "trivet/packet.h"
#include "trivet/steering.h"
#include "trivet/verdict.h"

namespace trivet {

enum class TopicUse : std::uint8_t { publishes, subscribes };

// How urgent punted packets of this module are: each urgency has a queue of its own, urgent ones are served first.
enum class PuntUrgency : std::uint8_t { normal, urgent };

class Setup {
 public:
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  // Configuration. Opening a section that exists, or a key twice, is refused when the module is loaded.
  virtual void open_section(SectionSpec section) = 0;
  virtual void add_key(KeySpec key) = 0;

  // Packets whose class bits meet `classes` are shown to the module's worker. None (default): no worker is made.
  virtual void wants(PacketClass classes) = 0;
  virtual void punt_urgency(PuntUrgency urgency) = 0;

  virtual Counter counter(std::string name, std::string help) = 0;         // name in snake_case, unique in the module
  virtual DropReason drop_reason(std::string name, std::string help) = 0;  // name in kebab-case, unique in the module

  virtual void command(CommandSpec spec, CommandHandler handler) = 0;

  // Topics, for `describe` and for checking that a state has one writer.
  template <class T>
  void publishes() {
    topic(topic_id<T>(), TopicUse::publishes);
  }
  template <class T>
  void subscribes() {
    topic(topic_id<T>(), TopicUse::subscribes);
  }

  // Constraints on the modules line. They refuse a line; they never reorder it. Naming a module that is not on the
  // line constrains nothing.
  virtual void must_stand_before(std::string module, std::string why) = 0;
  virtual void must_stand_after(std::string module, std::string why) = 0;

 protected:
  Setup() = default;
  ~Setup() = default;

 private:
  virtual void topic(TopicId topic, TopicUse use) = 0;

 public:
  // --- since module ABI 1.1 (functions are only ever added behind the others) ---

  // The module keeps sessions and can tell a packet's far side. Once at most; several modules are asked in the order of
  // the modules line.
  virtual void steering(const Steering& steering) = 0;
};

}  // namespace trivet
