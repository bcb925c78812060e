// bngagent: answers the checks `agent` and `agent6` on a target.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "hc/agent/server.h"

int main(int argc, char** argv) {
  trivet::hc::agent::Options options;
  double script_timeout = 5;
  bool foreground = false;
  CLI::App app{
      "Answers the balancer's checks `agent` and `agent6` over UDP with the load of this host, or with what a script "
      "prints.\nThe value is the load average of one minute x 100, or an integer from 0 to 2^63 - 1 from the script.",
      "bngagent"};
  app.add_option("PORT", options.port, "UDP port to listen on; 0: any free port, which is printed")
      ->required()
      ->check(CLI::Range(0, 65535));
  app.add_flag("-6,--ipv6", options.use_ipv6, "listen on IPv6 instead of IPv4");
  app.add_option("-s,--script", options.script,
                 "program that prints the value; run after a request, at most once a second; exit status 0 = valid")
      ->type_name("SCRIPT");
  app.add_option("--script-timeout", script_timeout, "seconds after which the script is killed")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  CLI::Option* const background = app.add_flag(
      "-d,--daemon", options.in_background,
      "go into the background as soon as the port is open; the exit status says whether it is. Messages go "
      "to syslog from then on");
  app.add_flag("-f,--foreground", foreground, "stay in the foreground (the default)")->excludes(background);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.script_timeout = trivet::from_seconds(script_timeout);
  if (!options.script.empty() && access(options.script.c_str(), X_OK) != 0) {
    std::fprintf(stderr, "bngagent: the script %s does not exist or is not executable\n", options.script.c_str());
    return 1;
  }
  // The background process leaves this folder.
  if (!options.script.empty()) options.script = std::filesystem::absolute(options.script).string();
  return trivet::hc::agent::serve(options);
}
