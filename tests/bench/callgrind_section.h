// Sections of a program that callgrind counts by themselves, for instructions a packet; callgrind_sections.py reads
// them.
//
//     {
//       const Section section("forward/ipv4");
//       const Collect collect;
//       ...
//     }
//     report("forward/ipv4", packets);
//
// The program is started with --instr-atstart=no --collect-atstart=no, so what is outside of sections runs fast and is
// not counted. Thread: one.
#pragma once

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#error "this needs valgrind's headers (Debian: valgrind); scripts/setup.sh installs them"
#endif

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace trivet::bench {

// What is counted while a Collect lives, and nothing else, is section `name`.
class Section {
 public:
  explicit Section(std::string name) : name_(std::move(name)) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
  }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section() {
    CALLGRIND_DUMP_STATS_AT(name_.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
  }

 private:
  std::string name_;
};

class Collect {
 public:
  Collect() { CALLGRIND_TOGGLE_COLLECT; }
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;
  ~Collect() { CALLGRIND_TOGGLE_COLLECT; }
};

inline void report(const std::string& name, std::uint64_t packets) {
  std::printf("%s %llu\n", name.c_str(), static_cast<unsigned long long>(packets));
}

}  // namespace trivet::bench
