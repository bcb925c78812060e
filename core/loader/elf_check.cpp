#include "core/loader/elf_check.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <system_error>
#include <vector>

namespace trivet::core {

namespace {

constexpr std::uintmax_t size_limit = 256U << 20U;
constexpr std::uint64_t memory_limit = 1U << 30U;
constexpr std::uint64_t page = 4096;
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

// Where a segment says it lies in memory; only what PT_LOAD says is mapped.
using Segments = std::vector<Elf64_Phdr>;

bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

// `size` bytes at `address` lie between the beginning of the segment and `end`.
bool holds(const Elf64_Phdr& load, std::uint64_t address, std::uint64_t size, std::uint64_t end) {
  return address >= load.p_vaddr && address <= end && size <= end - address;
}

// PT_LOAD segments: within the file, ascending and apart, aligned, of bounded size.
Result<void> check_loads(std::span<const char> bytes, const Segments& segments) {
  std::uint64_t free_from = 0;
  for (const Elf64_Phdr& load : segments) {
    if (load.p_type != PT_LOAD) continue;
    if (!lies_within(bytes, load.p_offset, load.p_filesz) || load.p_memsz < load.p_filesz) {
      return fail("is cut off: a segment lies outside the file");
    }
    if (!is_power_of_two(load.p_align) || (load.p_vaddr - load.p_offset) % load.p_align != 0) {
      return fail("has a segment of impossible alignment");
    }
    if (load.p_vaddr < free_from || load.p_vaddr > memory_limit || load.p_memsz > memory_limit - load.p_vaddr) {
      return fail("has segments that overlap, are out of order or larger than 1 GiB");
    }
    free_from = load.p_vaddr + load.p_memsz;
  }
  return {};
}

// Every other segment is a part of a loaded one.
bool is_part_of_a_load(const Segments& segments, const Elf64_Phdr& part) {
  if (part.p_type == PT_LOAD || part.p_type == PT_GNU_STACK || part.p_memsz == 0) return true;
  return std::ranges::any_of(segments, [&part](const Elf64_Phdr& load) {
    if (load.p_type != PT_LOAD || part.p_vaddr - load.p_vaddr != part.p_offset - load.p_offset) return false;
    // Thread-local zeroes take no room, and what becomes read-only after relocation is rounded up to a page.
    if (part.p_type == PT_TLS) {
      return is_power_of_two(part.p_align) && part.p_align <= page && part.p_filesz <= part.p_memsz &&
             part.p_memsz <= memory_limit && holds(load, part.p_vaddr, part.p_filesz, load.p_vaddr + load.p_memsz);
    }
    const std::uint64_t end = load.p_vaddr + load.p_memsz;
    const std::uint64_t rounded = (end + load.p_align - 1) / load.p_align * load.p_align;
    return holds(load, part.p_vaddr, part.p_memsz, part.p_type == PT_GNU_RELRO ? rounded : end);
  });
}

Result<Segments> read_segments(std::span<const char> bytes, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) return fail("has no program headers");
  Segments segments(header.e_phnum);
  for (std::uint64_t i = 0; i < segments.size(); ++i) {
    if (!read_at(bytes, header.e_phoff + i * sizeof(Elf64_Phdr), segments[i])) {
      return fail("is cut off: its program headers lie outside the file");
    }
  }
  if (auto sound = check_loads(bytes, segments); !sound) return std::unexpected(sound.error());
  if (!std::ranges::all_of(segments, [&](const Elf64_Phdr& part) { return is_part_of_a_load(segments, part); })) {
    return fail("has a segment outside of those that are loaded");
  }
  if (std::ranges::count(segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type) != 1) {
    return fail("has no dynamic segment, or several");
  }
  return segments;
}

// What sections say about memory agrees with the segments: two tables, written by one linker, that a damaged file
// would have to damage alike. The run-time linker believes the segments without asking.
bool agrees_with_segments(const Segments& segments, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_DYNAMIC) {
    const auto dynamic = std::ranges::find(segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
    if (dynamic->p_vaddr != section.sh_addr || dynamic->p_memsz != section.sh_size) return false;
  }
  const bool takes_no_room = (section.sh_flags & SHF_TLS) != 0 && section.sh_type == SHT_NOBITS;
  if ((section.sh_flags & SHF_ALLOC) == 0 || section.sh_size == 0 || takes_no_room) return true;
  const Elf64_Word needs =
      PF_R | ((section.sh_flags & SHF_WRITE) != 0 ? PF_W : 0U) | ((section.sh_flags & SHF_EXECINSTR) != 0 ? PF_X : 0U);
  return std::ranges::any_of(segments, [&section, needs](const Elf64_Phdr& load) {
    const std::uint64_t size = section.sh_type == SHT_NOBITS ? load.p_memsz : load.p_filesz;
    return load.p_type == PT_LOAD && (load.p_flags & needs) == needs &&
           holds(load, section.sh_addr, section.sh_size, load.p_vaddr + size);
  });
}

Result<void> check_section(std::span<const char> bytes, const std::vector<Elf64_Shdr>& sections,
                           const Segments& segments, const Elf64_Shdr& section) {
  if (section.sh_type != SHT_NOBITS && !lies_within(bytes, section.sh_offset, section.sh_size)) {
    return fail("is cut off: a section lies outside the file");
  }
  if (!agrees_with_segments(segments, section)) return fail("has a section that its segments do not hold");
  if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_SYMTAB) return {};
  return check_symbols(bytes, sections, section);
}

Result<void> check_sections(std::span<const char> bytes, const Elf64_Ehdr& header, const Segments& segments) {
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  for (std::uint64_t i = 0; i < sections.size(); ++i) {
    if (!read_at(bytes, header.e_shoff + i * sizeof(Elf64_Shdr), sections[i])) {
      return fail("is cut off: its section headers lie outside the file");
    }
  }
  if (header.e_shstrndx >= sections.size() || !is_string_table(bytes, sections[header.e_shstrndx])) {
    return fail("has no sound table of section names");
  }
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_name >= sections[header.e_shstrndx].sh_size) {
      return fail("has a section whose name lies outside its table");
    }
    if (auto sound = check_section(bytes, sections, segments, section); !sound) return sound;
  }
  if (std::ranges::count(sections, Elf64_Word{SHT_DYNSYM}, &Elf64_Shdr::sh_type) == 0) {
    return fail("exports no symbols");
  }
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
  const auto segments = read_segments(bytes, header);
  if (!segments) return std::unexpected(segments.error());
  return check_sections(bytes, header, *segments);
}

}  // namespace trivet::core
