// trivetd: the daemon, and the checks and conversions of configuration files.
#include <CLI/CLI.hpp>
#include <iostream>

#include "core/app/daemon.h"
#include "core/app/tools.h"

namespace {
constexpr int usage_error = 2;
}

int main(int argc, char** argv) {
  trivet::core::DaemonOptions options;
  std::string check_file;
  std::string convert_file;
  std::string level = "info";

  CLI::App app{"trivetd - a modular layer 2-4 load balancer", "trivetd"};
  app.set_version_flag("--version", std::string("trivetd ") + trivet::core::version());
  app.add_option("-c,--config", options.config_file, "configuration file (native or TOML)");
  app.add_flag("-f,--foreground", options.foreground, "stay in the foreground, log to standard error");
  app.add_option("-i,--instance", options.instance, "instance number, 0 to 127 (default 0)")->check(CLI::Range(0, 127));
  app.add_option("--run-dir", options.run_dir, "folder for socket, pid and log file (default /run/trivet)");
  app.add_option("--module-path", options.module_path, "further folder with modules, searched first; may be repeated");
  app.add_flag("--take", options.take, "take interfaces although they carry addresses of the system");
  app.add_option("--log-file", options.log_file, "log to this file");
  app.add_option("--log-level", level, "debug, info, warning or error (default info)")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  auto* const check =
      app.add_option("--check", check_file, "check a configuration file, print all that is wrong, and end");
  auto* const convert = app.add_option("--convert", convert_file,
                                       "print a configuration file in the other form (native or TOML), and end");
  check->excludes(convert);
  app.footer(
      "Examples:\n  trivetd -f -c /etc/trivet/trivet.conf\n  trivetd --check lb1.conf\n  trivetd --convert lb1.conf > "
      "lb1.toml");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }

  if (!check_file.empty()) return trivet::core::check_file(check_file, options.module_path);
  if (!convert_file.empty()) return trivet::core::convert_file(convert_file, options.module_path);
  if (options.config_file.empty()) {
    std::cerr << "trivetd: say which configuration to run: trivetd -c FILE (--help shows all options)\n";
    return usage_error;
  }
  options.log_level = level == "debug"     ? trivet::LogLevel::debug
                      : level == "warning" ? trivet::LogLevel::warning
                      : level == "error"   ? trivet::LogLevel::error
                                           : trivet::LogLevel::info;
  return trivet::core::run_daemon(options);
}
