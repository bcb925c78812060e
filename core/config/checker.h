// From tree and schema to the view that modules read. See check_configuration() and sound_part() in configuration.h.
//
// Thread: control. Pure but for `problems`.
#pragma once

#include <optional>

#include "core/config/schema.h"
#include "core/config/tree.h"
#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

[[nodiscard]] std::optional<ConfigView> check_tree(const Tree& tree, const Schema& schema, Problems& problems);
[[nodiscard]] ConfigView sound_part_of_tree(const Tree& tree, const Schema& schema);

}  // namespace trivet::core
