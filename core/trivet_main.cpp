// trivet: the operator's command. Asks the daemon over its control socket.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "core/app/daemon.h"
#include "core/app/tools.h"
#include "core/cli/control_server.h"
#include "core/cli/report_json.h"
#include "core/cli/report_text.h"

namespace {
constexpr int timeout_seconds = 10;
constexpr int usage_error = 2;
}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path run_dir = "/run/trivet";
  int instance = 0;
  bool json = false;
  std::vector<std::string> words;

  CLI::App app{"trivet - looks into a running trivetd and tells it what to do", "trivet"};
  app.set_version_flag("--version", std::string("trivet ") + trivet::core::version());
  app.add_option("--run-dir", run_dir, "folder of the daemon's socket (default /run/trivet)");
  app.add_option("-i,--instance", instance, "instance number, 0 to 127 (default 0)")->check(CLI::Range(0, 127));
  app.add_flag("--json", json, "print JSON instead of tables");
  app.prefix_command();
  app.footer("Examples:\n  trivet help\n  trivet show vrrp\n  trivet --run-dir /tmp/lb1 show targets --json");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }
  // What follows the options is the command; its own options (--server 1) stay in their place. --json counts anywhere.
  words = app.remaining();
  json = std::erase(words, "--json") != 0 || json;
  if (words.empty()) {
    std::cerr << "trivet: say what to do: trivet help lists all commands, trivet --help all options\n";
    return usage_error;
  }

  const auto report =
      trivet::core::call_daemon(trivet::core::control_socket_path(run_dir, instance), words, timeout_seconds);
  if (!report) {
    if (json) {
      std::cout << trivet::core::to_json(trivet::error_report(report.error().text)) << '\n';
    } else {
      std::cerr << "trivet: " << report.error().text << '\n';
    }
    return 2;
  }
  if (json) {
    std::cout << trivet::core::to_json(*report) << '\n';
  } else if (words.front() == "save" && report->error.empty()) {
    // The lines of a file, which must come out as they are. The language has no control characters but the tab.
    for (const std::string& line : report->notes) std::cout << line << '\n';
  } else {
    const auto colors = ::isatty(STDOUT_FILENO) != 0 ? trivet::core::Colors::on : trivet::core::Colors::off;
    (report->error.empty() ? std::cout : std::cerr) << trivet::core::to_text(*report, colors);
  }
  return report->error.empty() ? 0 : 1;
}
