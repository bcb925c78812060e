// bngagent as a process: one socket, one optional script, one loop around poll().
//
// Thread: the process's only one. Reads the monotonic clock; needs no privileges.
#pragma once

#include <cstdint>
#include <string>

#include "trivet/time.h"

namespace trivet::hc::agent {

struct Options {
  std::uint16_t port = 0;  // 0: the system chooses; printed
  bool use_ipv6 = false;   // IPv6 only; else IPv4 only
  std::string script;      // empty: the load average
  Duration script_timeout = std::chrono::seconds(5);
  bool in_background = false;  // detaches when the socket is bound; the caller's process ends with 0 then
};

// Serves until SIGTERM or SIGINT. The exit status of the process: 0, or 1 with a sentence on standard error.
[[nodiscard]] int serve(const Options& options);

}  // namespace trivet::hc::agent
