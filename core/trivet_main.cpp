// trivet: the operator's command. Asks the daemon over its control socket.
#include <unistd.h>

#include <iostream>

#include "core/app/daemon.h"
#include "core/cli/command_line.h"
#include "core/cli/control_server.h"
#include "core/cli/report_json.h"
#include "core/cli/report_text.h"

namespace {
constexpr int timeout_seconds = 10;
}

int main(int argc, char** argv) {
  const auto call = trivet::core::parse_command_line(argc, argv);
  if (!call) return call.error();
  const auto report = trivet::core::call_daemon(trivet::core::control_socket_path(call->run_dir, call->instance),
                                                call->words, timeout_seconds);
  if (!report) {
    if (call->json) {
      std::cout << trivet::core::to_json(trivet::error_report(report.error().text)) << '\n';
    } else {
      std::cerr << "trivet: " << report.error().text << '\n';
    }
    return 2;
  }
  if (call->json) {
    std::cout << trivet::core::to_json(*report) << '\n';
  } else if (call->words.front() == "save" && report->error.empty()) {
    // The lines of a file, which must come out as they are. The language has no control characters but the tab.
    for (const std::string& line : report->notes) std::cout << line << '\n';
  } else {
    const auto colors = ::isatty(STDOUT_FILENO) != 0 ? trivet::core::Colors::on : trivet::core::Colors::off;
    (report->error.empty() ? std::cout : std::cerr) << trivet::core::to_text(*report, colors);
  }
  return report->error.empty() ? 0 : 1;
}
