// The command line of `trivet`: its own options, wherever they stand, and the words of the command.
//
// Pure, but for --help, --version and errors, which are printed. Thread: any. Wraps CLI11.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace trivet::core {

struct OperatorCall {
  std::filesystem::path run_dir = "/run/trivet";
  int instance = 0;
  bool json = false;
  std::vector<std::string> words;  // of the command, with options of its own ("--server", "1") in their places
};

// An exit code instead of a call when there is nothing to ask: after --help (0) or an error (not 0).
[[nodiscard]] std::expected<OperatorCall, int> parse_command_line(int argc, const char* const* argv);

}  // namespace trivet::core
