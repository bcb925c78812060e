// The daemon: a node on real interfaces, driven by Asio, with its workers on threads, a control socket and signals.
//
// Thread: the caller's becomes the control thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "trivet/log.h"

namespace trivet::core {

struct DaemonOptions {
  std::filesystem::path config_file;
  std::filesystem::path run_dir = "/run/trivet";
  std::vector<std::filesystem::path> module_path;
  int instance = 0;
  bool foreground = false;
  bool take = false;
  std::filesystem::path log_file;
  LogLevel log_level = LogLevel::info;
};

// Names of the files of an instance: trivetd.sock for instance 0, trivetd-3.sock for instance 3.
[[nodiscard]] std::filesystem::path control_socket_path(const std::filesystem::path& run_dir, int instance);
[[nodiscard]] std::filesystem::path pid_file_path(const std::filesystem::path& run_dir, int instance);

// Where the modules of this program lie when nothing else is said: ../lib/trivet/modules beside the binary.
[[nodiscard]] std::filesystem::path default_module_folder();

// Runs until SIGTERM or SIGINT. Returns the exit code; errors have been printed.
[[nodiscard]] int run_daemon(const DaemonOptions& options);

}  // namespace trivet::core
