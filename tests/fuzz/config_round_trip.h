// The property that both fuzz targets of the configuration hold: what reads without error survives being written, and
// reading never trips over anything.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/config/configuration.h"
#include "tests/core/config_test_schema.h"

namespace trivet::core::config_fuzz {

inline void require(bool condition, const char* what, const std::string& text, const Problems& problems) {
  if (condition) return;
  std::fprintf(stderr, "%s\n%s\n", what, text.c_str());
  for (const Problem& problem : problems.list()) std::fprintf(stderr, "%s\n", to_string(problem).c_str());
  std::abort();
}

inline void require_same(const Tree& tree, const Schema& schema, ConfigFormat format) {
  const std::string text =
      format == ConfigFormat::toml ? save_toml(tree, schema, {"saved"}) : save_native(tree, schema, {"saved"});
  Problems problems;
  const Tree again = parse_configuration(text, "saved", format, problems);
  require(!problems.has_errors(), "what was saved does not read", text, problems);
  require(canonical(again, schema) == canonical(tree, schema), "what was saved reads differently", text, problems);
}

inline void check(std::string_view text, ConfigFormat format) {
  static const Schema schema = config_test::full_schema();
  Problems problems;
  const Tree tree = parse_configuration(text, "fuzz", format, problems);
  const bool is_read = !problems.has_errors();
  const auto view = check_configuration(tree, schema, problems);
  if (is_read && format == ConfigFormat::native) require_same(tree, schema, ConfigFormat::native);
  if (!view) return;
  require_same(tree, schema, ConfigFormat::native);
  require_same(tree, schema, ConfigFormat::toml);
  require(diff(*view, *view).empty(), "a view differs from itself", std::string(text), problems);
  require(canonical(canonical(tree, schema), schema) == canonical(tree, schema), "the canonical form changes again",
          std::string(text), problems);
}

}  // namespace trivet::core::config_fuzz
