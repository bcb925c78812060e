# trivet_add_module(NAME [SOURCES ...])
#
# Makes the module library NAME from the sources beside the caller: plugin.cpp, which exports the descriptor, and the
# others, which become the object library trivet_NAME for tests and static builds. Without SOURCES: all *.cpp here.
function(trivet_add_module name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/schedulers/*.cpp)
  endif()
  set(objects ${arg_SOURCES})
  list(FILTER objects EXCLUDE REGEX "plugin\\.cpp$")
  if(TARGET trivet_sdk)
    set(sdk trivet_sdk)
  else()
    set(sdk Trivet::sdk)
  endif()

  add_library(trivet_${name} STATIC ${objects})
  target_include_directories(trivet_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/..)
  target_link_libraries(trivet_${name} PUBLIC ${sdk})
  add_library(trivet_${name}_plugin MODULE plugin.cpp)
  target_link_libraries(trivet_${name}_plugin PRIVATE trivet_${name})
  set_target_properties(trivet_${name} trivet_${name}_plugin PROPERTIES
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  set_target_properties(trivet_${name}_plugin PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/trivet/modules)
  if(TARGET trivet_warnings)
    target_link_libraries(trivet_${name} PRIVATE trivet_warnings)
    target_link_libraries(trivet_${name}_plugin PRIVATE trivet_warnings)
  endif()
endfunction()
