#include "test_modules.h"

#include <array>

namespace trivet::core::test {

std::vector<std::string>& story() {
  static std::vector<std::string> lines;
  return lines;
}

Behaviour& behaviour(char name) {
  static std::array<Behaviour, 3> all;
  return all.at(static_cast<std::size_t>(name - 'a'));
}

namespace {

template <char name>
class TestModule final : public Module {
 public:
  TestModule() {
    if (behaviour(name).throw_in_create) throw std::runtime_error("cannot live");
  }
  ~TestModule() override {
    if (host_ != nullptr) tell("gone");  // not those that were only asked what they declare
  }

  void declare(Setup& setup) override {
    setup.wants(packet_class::all);
    setup.add_key(make_key("set", std::string(1, name) + "level", integer_element("level", 0, 9), "1", "a test level"));
    counter_ = setup.counter("seen", "packets seen");
    reason_ = setup.drop_reason("unwanted", "dropped by the test");
    if (!behaviour(name).before.empty()) setup.must_stand_before(behaviour(name).before, "the test says so");
    setup.command({"show " + std::string(1, name), name == 'a' ? "[WORD...]" : "", "the test's own"},
                  [this](const std::vector<std::string>& arguments, Time now, CommandReply reply) {
                    if (behaviour(name).throw_in_command) throw std::runtime_error("no answer");
                    Report report;
                    report.fields.push_back({"level", "Level", level_, ""});
                    report.fields.push_back({"arguments", "Arguments", std::uint64_t{arguments.size()}, ""});
                    report.fields.push_back({"now", "Now", to_seconds(now.time_since_epoch()), "s"});
                    reply(std::move(report));
                  });
  }
  void start(Host& host, Time) override {
    host_ = &host;
    tell("start");
  }
  std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) override {
    if (behaviour(name).throw_in_check) throw std::runtime_error("cannot check");
    if (behaviour(name).refuse_check) problems.error(config.settings().position, "the test refuses");
    auto plan = std::make_unique<LevelPlan>();
    plan->level = config.settings().integer(std::string(1, name) + "level").value_or(-1);
    return plan;
  }
  void apply(std::unique_ptr<Plan> plan, Time now) override {
    if (behaviour(name).throw_in_apply) throw std::runtime_error("cannot apply");
    level_ = static_cast<LevelPlan&>(*plan).level;
    tell("apply " + std::to_string(level_));
    if (behaviour(name).timer > Duration{}) next_ = now + behaviour(name).timer;
  }
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override {
    return std::make_unique<TestWorker>(context, counter_, reason_);
  }
  Time poll_at() const override { return next_; }
  void on_time(Time now) override {
    if (behaviour(name).throw_on_time) throw std::runtime_error("out of time");
    tell("time " +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()));
    next_ += behaviour(name).timer;
  }
  void on_punt(const Packet& packet, Time) override { tell("punt " + std::to_string(packet.length)); }
  void stop(Time) override { tell("stop"); }

 private:
  struct LevelPlan : Plan {
    std::int64_t level = 0;
  };
  class TestWorker final : public Worker {
   public:
    TestWorker(WorkerContext& context, Counter counter, DropReason reason)
        : context_(context), counter_(counter), reason_(reason) {}
    void process(Batch& batch) noexcept override {
      for (const std::size_t i : batch.pending()) {
        context_.counters().add(counter_);
        switch (behaviour(name).verdict) {
          case Verdict::Kind::drop:
            batch.decide(i, Verdict::drop(reason_));
            break;
          case Verdict::Kind::punt:
            batch.decide(i, Verdict::punt());
            break;
          case Verdict::Kind::consumed:
            batch.decide(i, Verdict::consumed());
            break;
          default:
            break;
        }
      }
    }

   private:
    WorkerContext& context_;
    Counter counter_;
    DropReason reason_;
  };
  static void tell(const std::string& what) { story().push_back(std::string(1, name) + ' ' + what); }

  Host* host_ = nullptr;
  Counter counter_;
  DropReason reason_;
  std::int64_t level_ = 0;
  Time next_ = never;
};

constexpr char names[][2] = {"a", "b", "c"};

template <char name>
constexpr ModuleDescriptor describe(std::uint32_t essential) {
  ModuleDescriptor descriptor;
  descriptor.name = names[name - 'a'];
  descriptor.version = "1.0";
  descriptor.create = []() -> Module* { return new TestModule<name>; };
  descriptor.destroy = [](Module* module) { delete module; };
  descriptor.essential = essential;
  return descriptor;
}

}  // namespace

const ModuleDescriptor module_a = describe<'a'>(0);
const ModuleDescriptor module_b = describe<'b'>(0);
const ModuleDescriptor module_c = describe<'c'>(1);

}  // namespace trivet::core::test
