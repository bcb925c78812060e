// From a name on the modules line to a descriptor: linked in, or a library on the search path.
//
// A library is inspected (ELF structure, symbol list) before it is opened; opened local; its descriptor compared; and
// refused in one sentence that says which file, what it has and what this core has. Code is never unloaded.
// Thread: control. Ownership: descriptors and libraries live as long as the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trivet/abi.h"
#include "trivet/result.h"

namespace trivet::core {

// Which file something was: another one under the same name differs.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t seconds = 0;  // of the last change
  std::int64_t nanoseconds = 0;
  bool operator==(const FileStamp&) const = default;
};

class ModuleLoader {
 public:
  // `linked` are found before files of the same name. The search path is tried in order.
  explicit ModuleLoader(std::vector<const ModuleDescriptor*> linked,
                        std::vector<std::filesystem::path> search_path = {});

  [[nodiscard]] Result<const ModuleDescriptor*> find(const std::string& name);
  // The library of this name has been replaced or removed since it was opened: a sentence that says so.
  [[nodiscard]] std::optional<std::string> changed(const std::string& name) const;
  // Names of all modules that could be found, ascending; files that are no modules are among them until opened.
  [[nodiscard]] std::vector<std::string> installed() const;
  [[nodiscard]] const std::vector<std::filesystem::path>& search_path() const { return search_path_; }

 private:
  struct Opened {
    const ModuleDescriptor* descriptor = nullptr;
    std::filesystem::path file;
    std::optional<FileStamp> stamp;
  };
  std::vector<const ModuleDescriptor*> linked_;
  std::vector<std::filesystem::path> search_path_;
  std::map<std::string, Opened> opened_;
};

// Opens one file; used by find() and by `describe`. `name` is what the descriptor must say; empty = any.
[[nodiscard]] Result<const ModuleDescriptor*> open_module_file(const std::filesystem::path& file,
                                                               const std::string& name);

}  // namespace trivet::core
