// What every benchmark reports for a packet: nanoseconds and, where the processor's counter can be read, instructions
// of user space. Instructions repeat where times do not: compare them first.
//
//     Measure measure;
//     for (auto _ : state) ...
//     measure.report(state, packets);
//
// Thread: the one that measures.
#pragma once

#include <benchmark/benchmark.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>

namespace trivet::bench {

class InstructionCounter {
 public:
  InstructionCounter() {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    file_ = static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    if (file_ < 0) std::fputs("note: instructions cannot be counted here (perf_event_open)\n", stderr);
  }
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;
  ~InstructionCounter() {
    if (file_ >= 0) ::close(file_);
  }
  [[nodiscard]] std::optional<std::uint64_t> read() const {
    std::uint64_t value = 0;
    if (file_ < 0 || ::read(file_, &value, sizeof value) != sizeof value) return std::nullopt;
    return value;
  }
  // One for the process: the note is printed once.
  static InstructionCounter& instance() {
    static InstructionCounter counter;
    return counter;
  }

 private:
  int file_ = -1;
};

class Measure {
 public:
  Measure() : begin_(InstructionCounter::instance().read()) {}

  void report(benchmark::State& state, std::uint64_t packets) const {
    const std::optional<std::uint64_t> end = InstructionCounter::instance().read();
    const auto count = static_cast<double>(packets);
    using benchmark::Counter;
    state.SetItemsProcessed(static_cast<std::int64_t>(packets));
    state.counters["ns/packet"] = Counter(count * 1e-9, Counter::kIsRate | Counter::kInvert);
    if (begin_ && end && packets != 0) {
      state.counters["instructions/packet"] = Counter(static_cast<double>(*end - *begin_) / count);
    }
  }

 private:
  std::optional<std::uint64_t> begin_;
};

}  // namespace trivet::bench
