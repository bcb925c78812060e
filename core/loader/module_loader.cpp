#include "core/loader/module_loader.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cctype>
#include <set>

#include "core/loader/elf_check.h"

namespace trivet::core {

namespace {

constexpr const char* symbol_prefix = "trivet_module_v";
constexpr std::size_t text_limit = 200;

std::string symbol_of_this_abi() { return symbol_prefix + std::to_string(abi_major); }

// Names come from the configuration: never a path.
bool is_module_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_' || c == '-';
  });
}

std::string quoted(const char* text) {
  if (text == nullptr) return "(none)";
  std::string result = "'";
  for (std::size_t i = 0; i < text_limit && text[i] != '\0'; ++i) result += text[i];
  return result + "'";
}

// The bytes that the library gives the object at `address`; 0 when that is no object (a function, say).
std::uint64_t object_size(const void* address) {
  Dl_info info{};
  void* entry = nullptr;
  if (::dladdr1(address, &info, &entry, RTLD_DL_SYMENT) == 0 || entry == nullptr) return 0;
  const auto& symbol = *static_cast<const ElfW(Sym)*>(entry);
  return (symbol.st_info & 0xfU) == STT_OBJECT ? symbol.st_size : 0;
}

// True when what the library exports is an object that is as large as it says, or large enough to say that it is not.
bool holds_descriptor(const void* address) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignof(ModuleDescriptor) != 0) return false;
  const std::uint64_t held = object_size(address);
  if (held < offsetof(ModuleDescriptor, name)) return false;
  return static_cast<const ModuleDescriptor*>(address)->size < sizeof(ModuleDescriptor) ||
         held >= sizeof(ModuleDescriptor);
}

Result<void> compare(const ModuleDescriptor& descriptor, const std::string& file, const std::string& name) {
  // The first two fields are at their place in every ABI; the rest counts only if `size` covers it.
  if (descriptor.size < sizeof(ModuleDescriptor)) {
    return fail(file + ": its descriptor has " + std::to_string(descriptor.size) +
                " bytes, this trivetd needs at least " + std::to_string(sizeof(ModuleDescriptor)));
  }
  if (descriptor.abi_major_version != abi_major) {
    return fail(file + ": is built for module ABI " + std::to_string(descriptor.abi_major_version) +
                ", this trivetd has ABI " + std::to_string(abi_major) + ": build it again with this release's SDK");
  }
  if (descriptor.abi_minor_version > abi_minor) {
    return fail(file + ": is built for module ABI " + std::to_string(descriptor.abi_major_version) + "." +
                std::to_string(descriptor.abi_minor_version) + ", this trivetd has " + std::to_string(abi_major) + "." +
                std::to_string(abi_minor) + ": it needs a newer trivetd");
  }
  if (descriptor.signature == nullptr || std::string_view(descriptor.signature) != layout_signature) {
    return fail(file + ": is built with another layout: it has " + quoted(descriptor.signature) +
                ", this trivetd has " + quoted(layout_signature) + ": build it with the same flags");
  }
  if (descriptor.name == nullptr || !is_module_name(descriptor.name))
    return fail(file + ": gives no valid module name");
  if (!name.empty() && name != descriptor.name) {
    return fail(file + ": calls itself " + quoted(descriptor.name) + ", the modules line wants '" + name + "'");
  }
  if (descriptor.create == nullptr || descriptor.destroy == nullptr) {
    return fail(file + ": its descriptor has no create or destroy function");
  }
  return {};
}

// Which ABI a library speaks, by the names it exports; empty when it is no module at all.
std::string exported_descriptor(const std::filesystem::path& file) {
  boost::dll::library_info info(file);
  std::string other;
  for (const std::string& symbol : info.symbols()) {
    if (symbol == symbol_of_this_abi()) return symbol;
    if (symbol.starts_with(symbol_prefix)) other = symbol;
  }
  return other;
}

// None when the file cannot be looked at.
std::optional<FileStamp> stamp_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return FileStamp{status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

}  // namespace

Result<const ModuleDescriptor*> open_module_file(const std::filesystem::path& file, const std::string& name) {
  const std::string shown = file.string();
  if (auto sound = check_shared_object(file); !sound) return fail(shown + ": " + sound.error().text);
  try {
    const std::string symbol = exported_descriptor(file);
    if (symbol.empty()) {
      return fail(shown + ": is a shared library but no Trivet module (it exports no " + symbol_of_this_abi() + ")");
    }
    if (symbol != symbol_of_this_abi()) {
      return fail(shown + ": is a module for ABI " + symbol.substr(std::string_view(symbol_prefix).size()) +
                  ", this trivetd has ABI " + std::to_string(abi_major) + ": build it again with this release's SDK");
    }
    // Code is never unloaded, refused or not, whoever closes it: no destructor or registered callback of the library
    // can run in unmapped memory.
    constexpr auto stays_loaded = static_cast<boost::dll::load_mode::type>(RTLD_NODELETE);
    const boost::dll::shared_library library(
        file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local | stays_loaded);
    // Not by get(), which would make a reference to whatever stands there, a function too.
    const void* const address = ::dlsym(library.native(), symbol.c_str());
    if (!holds_descriptor(address)) {
      return fail(shown + ": exports " + symbol_of_this_abi() + ", but not as a descriptor");
    }
    const auto& descriptor = *static_cast<const ModuleDescriptor*>(address);
    if (auto same = compare(descriptor, shown, name); !same) return std::unexpected(same.error());
    return &descriptor;
  } catch (const std::exception& error) {
    return fail(shown + ": cannot be opened: " + error.what());
  } catch (...) {
    return fail(shown + ": cannot be opened: it threw something that is no exception");
  }
}

ModuleLoader::ModuleLoader(std::vector<const ModuleDescriptor*> linked, std::vector<std::filesystem::path> search_path)
    : linked_(std::move(linked)), search_path_(std::move(search_path)) {}

Result<const ModuleDescriptor*> ModuleLoader::find(const std::string& name) {
  if (!is_module_name(name)) return fail("'" + name + "' is no module name (letters, digits, '-' and '_')");
  for (const ModuleDescriptor* descriptor : linked_) {
    if (descriptor->name == name) return descriptor;
  }
  if (const auto opened = opened_.find(name); opened != opened_.end()) return opened->second.descriptor;
  std::string tried;
  for (const std::filesystem::path& folder : search_path_) {
    const std::filesystem::path file = folder / (name + ".so");
    tried += (tried.empty() ? "" : ", ") + folder.string();
    // Whatever lies there under this name is meant, even what cannot be read: then the sentence says why.
    std::error_code error;
    const auto status = std::filesystem::symlink_status(file, error);
    if (status.type() == std::filesystem::file_type::not_found || error == std::errc::not_a_directory) continue;
    const auto stamp = stamp_of(file);  // before it is opened: what replaces it meanwhile is noticed
    auto descriptor = open_module_file(file, name);
    if (descriptor) opened_[name] = {*descriptor, file, stamp};
    return descriptor;
  }
  return fail("there is no module '" + name + "': no " + name + ".so in " +
              (tried.empty() ? "the search path, which is empty" : tried));
}

std::optional<std::string> ModuleLoader::changed(const std::string& name) const {
  const auto opened = opened_.find(name);
  if (opened == opened_.end() || stamp_of(opened->second.file) == opened->second.stamp) return std::nullopt;
  return opened->second.file.string() + " has changed since it was loaded: the old code goes on until trivetd is " +
         "started again";
}

std::vector<std::string> ModuleLoader::installed() const {
  std::set<std::string> names;
  for (const ModuleDescriptor* descriptor : linked_) names.insert(descriptor->name);
  for (const std::filesystem::path& folder : search_path_) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".so" && is_module_name(entry.path().stem().string())) {
        names.insert(entry.path().stem().string());
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace trivet::core
