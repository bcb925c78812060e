#include "core/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "core/app/tools.h"

namespace trivet::core {

namespace {
constexpr int usage_error = 2;
}

std::expected<OperatorCall, int> parse_command_line(int argc, const char* const* argv) {
  OperatorCall call;
  CLI::App app{"trivet - looks into a running trivetd and tells it what to do", "trivet"};
  app.set_version_flag("--version", std::string("trivet ") + version());
  app.add_option("--run-dir", call.run_dir, "folder of the daemon's socket (default /run/trivet)");
  app.add_option("-i,--instance", call.instance, "instance number, 0 to 127 (default 0)")->check(CLI::Range(0, 127));
  app.add_flag("--json", call.json, "print JSON instead of tables");
  // Not prefix_command(): "trivet show vrrp --run-dir X" must never ask the daemon of another folder.
  app.allow_extras();
  app.footer(
      "Options may stand before, within or behind the command.\n"
      "Examples:\n  trivet help\n  trivet show vrrp\n  trivet show targets --json --run-dir /tmp/lb1");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : usage_error);
  }
  call.words = app.remaining();
  if (call.words.empty()) {
    std::cerr << "trivet: say what to do: trivet help lists all commands, trivet --help all options\n";
    return std::unexpected(usage_error);
  }
  return call;
}

}  // namespace trivet::core
