// What trivetd does with a file without running it: check and convert.
//
// check_file() and convert_file() print to standard output and standard error and return the exit code: 0 fine, 1
// errors in the file.
#pragma once

#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config/configuration.h"

namespace trivet::core {

[[nodiscard]] std::string version();

// All errors and warnings, then one line of verdict.
[[nodiscard]] int check_file(const std::filesystem::path& file, const std::vector<std::filesystem::path>& module_path);
// A native file as TOML, a TOML file as native.
[[nodiscard]] int convert_file(const std::filesystem::path& file,
                               const std::vector<std::filesystem::path>& module_path);

// What `save` prints: the configuration in normal form, with the header that says when it was taken (local time) and by
// which version.
[[nodiscard]] std::string saved_configuration(const Tree& tree, const Schema& schema, ConfigFormat format,
                                              std::time_t taken);

}  // namespace trivet::core
