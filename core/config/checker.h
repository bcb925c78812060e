// From tree and schema to the view that modules read. See check_configuration in configuration.h for the contract.
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

}  // namespace trivet::core
