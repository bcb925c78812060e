# cmake -DINPUT=file -DOUTPUT=header -DNAME=array -P TrivetEmbedBytes.cmake
#
# Writes the bytes of a file as a C++ array of namespace trivet::core.
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
# Aligned as an ELF file's readers expect it.
file(WRITE ${OUTPUT} "#pragma once\n#include <array>\n#include <cstdint>\nnamespace trivet::core {\n"
  "alignas(8) inline constexpr std::array<std::uint8_t, ${size}> ${NAME} = {${bytes}};\n}\n")
