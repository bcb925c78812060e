#include "core/loader/elf_check.h"

#include <elf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <system_error>
#include <vector>

namespace trivet::core {

namespace {

constexpr std::uintmax_t size_limit = 256U << 20U;
#if defined(__x86_64__)
constexpr std::uint16_t machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t machine = EM_AARCH64;
#else
#error "add the ELF machine number of this architecture"
#endif

template <class T>
bool read_at(std::span<const char> bytes, std::uint64_t offset, T& value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return true;
}

bool lies_within(std::span<const char> bytes, std::uint64_t offset, std::uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

// A string table is usable when it ends with a zero byte: every offset inside then starts a terminated string.
bool is_string_table(std::span<const char> bytes, const Elf64_Shdr& section) {
  return section.sh_type == SHT_STRTAB && section.sh_size != 0 &&
         lies_within(bytes, section.sh_offset, section.sh_size) &&
         bytes[section.sh_offset + section.sh_size - 1] == '\0';
}

Result<void> check_header(const Elf64_Ehdr& header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return fail("is not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail("is an ELF file for another kind of machine (not 64-bit little-endian)");
  }
  if (header.e_machine != machine) return fail("is built for another processor");
  if (header.e_type != ET_DYN) return fail("is an ELF file but not a shared library");
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0) return fail("has no section headers");
  return {};
}

Result<void> check_symbols(std::span<const char> bytes, const std::vector<Elf64_Shdr>& sections,
                           const Elf64_Shdr& table) {
  if (table.sh_link >= sections.size() || !is_string_table(bytes, sections[table.sh_link])) {
    return fail("has a symbol table without a sound string table");
  }
  if (table.sh_entsize != sizeof(Elf64_Sym) || table.sh_size % sizeof(Elf64_Sym) != 0) {
    return fail("has a symbol table of broken size");
  }
  const std::uint64_t names = sections[table.sh_link].sh_size;
  for (std::uint64_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol{};
    if (!read_at(bytes, table.sh_offset + at, symbol) || symbol.st_name >= names) {
      return fail("has a symbol whose name lies outside its string table");
    }
  }
  return {};
}

Result<void> check_segments(std::span<const char> bytes, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) return fail("has no program headers");
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!read_at(bytes, header.e_phoff + i * sizeof(Elf64_Phdr), segment))
      return fail("is cut off: its program headers lie outside the file");
    if (segment.p_type == PT_LOAD &&
        (!lies_within(bytes, segment.p_offset, segment.p_filesz) || segment.p_memsz < segment.p_filesz)) {
      return fail("is cut off: a segment lies outside the file");
    }
  }
  return {};
}

Result<void> check_sections(std::span<const char> bytes, const Elf64_Ehdr& header) {
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  for (std::uint64_t i = 0; i < sections.size(); ++i) {
    if (!read_at(bytes, header.e_shoff + i * sizeof(Elf64_Shdr), sections[i])) {
      return fail("is cut off: its section headers lie outside the file");
    }
  }
  if (header.e_shstrndx >= sections.size() || !is_string_table(bytes, sections[header.e_shstrndx])) {
    return fail("has no sound table of section names");
  }
  bool has_symbols = false;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_name >= sections[header.e_shstrndx].sh_size)
      return fail("has a section whose name lies outside its table");
    if (section.sh_type != SHT_NOBITS && !lies_within(bytes, section.sh_offset, section.sh_size)) {
      return fail("is cut off: a section lies outside the file");
    }
    if (section.sh_type == SHT_DYNSYM || section.sh_type == SHT_SYMTAB) {
      if (auto result = check_symbols(bytes, sections, section); !result) return result;
      has_symbols = has_symbols || section.sh_type == SHT_DYNSYM;
    }
  }
  if (!has_symbols) return fail("exports no symbols");
  return {};
}

}  // namespace

Result<void> check_shared_object(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error) return fail("cannot be read: " + error.message());
  if (size > size_limit) return fail("is larger than 256 MiB");
  std::vector<char> bytes(size);
  std::ifstream stream(file, std::ios::binary);
  if (!stream.is_open()) return fail("cannot be read: " + std::generic_category().message(errno));
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) return fail("cannot be read to its end");
  Elf64_Ehdr header{};
  if (!read_at(std::span<const char>(bytes), 0, header)) return fail("is not an ELF file");
  if (auto result = check_header(header); !result) return result;
  if (auto result = check_segments(bytes, header); !result) return result;
  return check_sections(bytes, header);
}

}  // namespace trivet::core
