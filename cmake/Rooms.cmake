# A room is a folder under src/: all its .cpp files make the static library sgpt_<room>. What it links is what it may
# include, so the one-way doors between rooms are the link graph; scripts/check_doors.sh locks them.

add_library(sgpt_warnings INTERFACE)
target_compile_options(sgpt_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wno-psabi
                       $<$<BOOL:${SGPT_WERROR}>:-Werror>)

# sgpt_room(NAME [ROOMS room…] [LIBRARIES target…])
function(sgpt_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  add_library(sgpt_${name} STATIC ${sources})
  set_target_properties(sgpt_${name} PROPERTIES EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
  target_include_directories(sgpt_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  list(TRANSFORM ROOM_ROOMS PREPEND sgpt_)
  target_link_libraries(sgpt_${name} PUBLIC ${ROOM_ROOMS} PRIVATE ${ROOM_LIBRARIES} $<BUILD_INTERFACE:sgpt_warnings>)
  sgpt_open_doors(${name} ${ROOM_ROOMS})
endfunction()

# sgpt_open_doors(NAME sgpt_room…): NAME may include these rooms, and what they may. scripts/check_doors.sh holds every
# #include under src/ against the table that this makes.
function(sgpt_open_doors name)
  set(doors ${ARGN})
  foreach(room IN LISTS ARGN)
    get_property(behind GLOBAL PROPERTY SGPT_DOORS_${room})
    list(APPEND doors ${behind})
  endforeach()
  list(REMOVE_DUPLICATES doors)
  set_property(GLOBAL PROPERTY SGPT_DOORS_sgpt_${name} ${doors})
  list(TRANSFORM doors REPLACE "^sgpt_" "" OUTPUT_VARIABLE rooms)
  list(JOIN rooms " " line)
  set_property(GLOBAL APPEND_STRING PROPERTY SGPT_DOORS "${name}: ${line}\n")
endfunction()

# sgpt_test(ROOM): tests/ROOM/*.cpp make the program ROOM_test.
function(sgpt_test room)
  cmake_parse_arguments(TEST "" "" "LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${room}_test ${sources})
  target_include_directories(${room}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  # gcc 12 warns of the string additions that tests are full of ("x" + std::string(…); its bug 105651).
  target_compile_options(${room}_test PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  target_link_libraries(${room}_test PRIVATE ${TEST_LIBRARIES} sgpt_test_fixtures sgpt_warnings GTest::gmock GTest::gtest_main)
  # Idle threads sleep: tests run side by side, and must not spin for work on each other's cores.
  gtest_discover_tests(${room}_test DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 300 ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
