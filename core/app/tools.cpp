#include "core/app/tools.h"

#include <algorithm>
#include <iostream>

#include "core/app/config_file.h"
#include "core/app/daemon.h"
#include "core/app/prepared_config.h"

namespace trivet::core {

namespace {

std::size_t count(const Problems& problems, Severity severity) {
  return static_cast<std::size_t>(std::ranges::count(problems.list(), severity, &Problem::severity));
}

std::string plural(std::size_t number, const std::string& word) {
  return std::to_string(number) + ' ' + word + (number == 1 ? "" : "s");
}

struct CheckedFile {
  std::string text;
  Problems problems;
  std::optional<PreparedConfig> config;
};

bool load(const std::filesystem::path& file, std::vector<std::filesystem::path> module_path, CheckedFile& loaded) {
  auto text = read_config_file(file);
  if (!text) {
    std::cerr << file.string() << ": " << text.error().text << '\n';
    return false;
  }
  loaded.text = std::move(*text);
  module_path.push_back(default_module_folder());
  ModuleLoader loader({}, std::move(module_path));
  MetricsRegistry registry;
  loaded.config = prepare_configuration(
      loaded.text, file.string(), loader, registry, [](const std::string&) { return nullptr; }, loaded.problems);
  for (const Problem& problem : in_file_order(loaded.problems)) std::cerr << to_string(problem) << '\n';
  return true;
}

}  // namespace

std::string version() { return TRIVET_VERSION; }

int check_file(const std::filesystem::path& file, const std::vector<std::filesystem::path>& module_path) {
  CheckedFile loaded;
  if (!load(file, module_path, loaded)) return 1;
  const std::size_t errors = count(loaded.problems, Severity::error);
  const std::size_t warnings = count(loaded.problems, Severity::warning);
  if (errors != 0 || !loaded.config) {
    std::cout << file.string() << ": " << plural(errors, "error") << ", " << plural(warnings, "warning") << '\n';
    return 1;
  }
  std::cout << file.string() << ": fine" << (warnings == 0 ? "" : " (" + plural(warnings, "warning") + ")") << '\n';
  return 0;
}

int convert_file(const std::filesystem::path& file, const std::vector<std::filesystem::path>& module_path) {
  CheckedFile loaded;
  if (!load(file, module_path, loaded) || !loaded.config) return 1;
  const std::vector<std::string> header = {"converted from " + file.filename().string(), "Trivet " + version()};
  const bool to_toml = detect_format(file.string(), loaded.text) == ConfigFormat::native;
  const std::string text = to_toml ? save_toml(loaded.config->tree, loaded.config->schema, header)
                                   : save_native(loaded.config->tree, loaded.config->schema, header);
  if (text.size() > TreeLimits::text_size) {
    std::cerr << file.string() << ": in the other form it has " << text.size() << " bytes, at most "
              << TreeLimits::text_size << " are read\n";
    return 1;
  }
  std::cout << text;
  return 0;
}

std::string saved_configuration(const Tree& tree, const Schema& schema, ConfigFormat format, std::time_t taken) {
  std::tm local{};
  char date[64] = "";
  if (::localtime_r(&taken, &local) != nullptr) std::strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &local);
  const std::vector<std::string> header = {"configuration taken " + std::string(date),
                                           "Trivet " + version() + " (created " TRIVET_CREATED ")"};
  return format == ConfigFormat::toml ? save_toml(tree, schema, header) : save_native(tree, schema, header);
}

}  // namespace trivet::core
