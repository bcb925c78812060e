# trivet_add_module(NAME [SOURCES ...])
#
# Makes the module library NAME.so in lib/trivet/modules of the build, from the sources beside the caller: plugin.cpp,
# which exports the descriptor, and the others, which become the static library trivet_NAME for tests and static builds.
# A module of a single file needs no plugin.cpp and exports its descriptor itself. Without SOURCES: all *.cpp here.
# `cmake --install` puts the library into lib/trivet/modules, where trivetd of the same prefix finds it.
#
# The same file serves Trivet's own modules and, installed, those of others behind find_package(Trivet).
function(trivet_add_module name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/schedulers/*.cpp)
  endif()
  set(objects ${arg_SOURCES})
  list(FILTER objects EXCLUDE REGEX "(^|/)plugin\\.cpp$")

  add_library(trivet_${name} STATIC ${objects})
  target_include_directories(trivet_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/..)
  target_link_libraries(trivet_${name} PUBLIC Trivet::sdk)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/plugin.cpp)
    add_library(trivet_${name}_plugin MODULE plugin.cpp)
    target_link_libraries(trivet_${name}_plugin PRIVATE trivet_${name})
  else()
    # Nothing refers to the descriptor, so an archive would leave it out: the objects go in as they are.
    add_library(trivet_${name}_plugin MODULE $<TARGET_OBJECTS:trivet_${name}>)
    target_link_libraries(trivet_${name}_plugin PRIVATE Trivet::sdk)
  endif()
  set_target_properties(trivet_${name} trivet_${name}_plugin PROPERTIES
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF LINKER_LANGUAGE CXX
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  set_target_properties(trivet_${name}_plugin PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/trivet/modules)
  if(TARGET trivet_warnings)
    target_link_libraries(trivet_${name} PRIVATE trivet_warnings)
    target_link_libraries(trivet_${name}_plugin PRIVATE trivet_warnings)
  endif()
  install(TARGETS trivet_${name}_plugin LIBRARY DESTINATION lib/trivet/modules COMPONENT runtime)
endfunction()
