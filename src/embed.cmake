# slbsr_embed(OUT): writes build/embed.S and build/embed.c, which hold SLBSR_WEIGHTS, SLBSR_NETS and
# SLBSR_PAGES as they are on disk, and lists the two files in OUT. base/embed.h declares the table of all of them,
# infer/builtin_table.h that of the models; sizes are taken here, so a changed file runs cmake again.
function(slbsr_embed out)
  set(asm "    .section .rodata\n")
  set(table "")
  set(models "")
  set(externs "")
  set(i 0)
  foreach(file ${SLBSR_WEIGHTS} ${SLBSR_NETS} ${SLBSR_PAGES})
    get_filename_component(name ${file} NAME)
    string(APPEND asm "    .balign 64\n    .globl slb_embed_${i}, slb_embed_${i}_end\n"
           "    .hidden slb_embed_${i}, slb_embed_${i}_end\n"
           "slb_embed_${i}:\n    .incbin \"${file}\"\nslb_embed_${i}_end:\n    .byte 0\n")
    string(APPEND externs "extern const unsigned char slb_embed_${i}[], slb_embed_${i}_end[];\n")
    string(APPEND table "    {\"${name}\", slb_embed_${i}, slb_embed_${i}_end},\n")
    if(name MATCHES "\\.safetensors$")
      get_filename_component(model ${file} NAME_WLE)
      file(SIZE ${file} bytes)
      string(APPEND models "    {\"${model}\", slb_embed_${i}, ${bytes}},\n")
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    endif()
    math(EXPR i "${i} + 1")
  endforeach()
  string(APPEND asm "    .section .note.GNU-stack,\"\",%progbits\n")
  set(c "#include \"base/embed.h\"\n#include \"infer/builtin_table.h\"\n\n${externs}\n")
  string(APPEND c "const SlbEmbed slb_embed[] = {\n${table}    {0},\n};\n\n"
         "const SlbBuiltin slb_builtin_table[] = {\n${models}    {0},\n};\n")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embed.S CONTENT "${asm}" @ONLY)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embed.c CONTENT "${c}" @ONLY)
  set_source_files_properties(${CMAKE_BINARY_DIR}/embed.S PROPERTIES
    OBJECT_DEPENDS "${SLBSR_WEIGHTS};${SLBSR_NETS};${SLBSR_PAGES}")
  set(${out} ${CMAKE_BINARY_DIR}/embed.S ${CMAKE_BINARY_DIR}/embed.c PARENT_SCOPE)
endfunction()
