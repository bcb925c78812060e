# Programs for the kernel: trivet_compile_bpf(SOURCE OUTPUT [options ...]) compiles a C file with clang's BPF target.
find_program(TRIVET_BPF_CLANG NAMES clang-19 clang clang-14 DOC "clang with the BPF target")
find_path(TRIVET_XSK_HEADERS xdp/xsk.h)
find_path(TRIVET_BPF_HEADERS bpf/bpf_helpers.h)
find_library(TRIVET_BPF_LIBRARY bpf)
if(NOT TRIVET_BPF_CLANG OR NOT TRIVET_XSK_HEADERS OR NOT TRIVET_BPF_HEADERS OR NOT TRIVET_BPF_LIBRARY)
  message(FATAL_ERROR "AF_XDP needs clang, libxdp and libbpf with their headers (Debian: clang-19 libxdp-dev libbpf-dev). "
    "scripts/setup.sh installs them.")
endif()

function(trivet_compile_bpf source output)
  get_filename_component(folder ${source} DIRECTORY)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
  add_custom_command(OUTPUT ${output}
    COMMAND ${TRIVET_BPF_CLANG} -O2 -g -Wall -Wextra -Werror -target bpf ${ARGN}
      -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -I${TRIVET_BPF_HEADERS} -c ${source} -o ${output}
    DEPENDS ${source} ${headers} VERBATIM)
endfunction()

# The same, and the object's bytes as a C++ array in a header.
function(trivet_embed_bpf source header name)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  trivet_compile_bpf(${source} ${object} ${ARGN})
  add_custom_command(OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${object} -DOUTPUT=${header} -DNAME=${name}
      -P ${PROJECT_SOURCE_DIR}/cmake/TrivetEmbedBytes.cmake
    DEPENDS ${object} ${PROJECT_SOURCE_DIR}/cmake/TrivetEmbedBytes.cmake VERBATIM)
endfunction()
