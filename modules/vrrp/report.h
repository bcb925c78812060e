// What `show vrrp` answers: who this node is, and why. Pure; thread: control.
#pragma once

#include <array>
#include <cstdint>

#include "trivet/command.h"
#include "trivet/time.h"
#include "vrrp/engine.h"

namespace trivet::vrrp {

// Name and explanation of the counter behind each Tally.
struct TallyName {
  const char* name;
  const char* help;
};
[[nodiscard]] const TallyName& tally_name(Tally tally);

using TallyValues = std::array<std::uint64_t, tally_count>;

[[nodiscard]] Report make_report(const Engine& engine, const TallyValues& counters, Time now);

}  // namespace trivet::vrrp
