# slbsr_embed(OUT): writes build/embed.S and build/embed.c, which hold SLBSR_WEIGHTS and SLBSR_NETS as
# they are on disk, and lists the two files in OUT. base/embed.h declares the table.
function(slbsr_embed out)
  set(asm "    .section .rodata\n")
  set(table "")
  set(externs "")
  set(i 0)
  foreach(file ${SLBSR_WEIGHTS} ${SLBSR_NETS})
    get_filename_component(name ${file} NAME)
    string(APPEND asm "    .balign 64\n    .globl slb_embed_${i}, slb_embed_${i}_end\n"
           "    .hidden slb_embed_${i}, slb_embed_${i}_end\n"
           "slb_embed_${i}:\n    .incbin \"${file}\"\nslb_embed_${i}_end:\n    .byte 0\n")
    string(APPEND externs "extern const unsigned char slb_embed_${i}[], slb_embed_${i}_end[];\n")
    string(APPEND table "    {\"${name}\", slb_embed_${i}, slb_embed_${i}_end},\n")
    math(EXPR i "${i} + 1")
  endforeach()
  string(APPEND asm "    .section .note.GNU-stack,\"\",%progbits\n")
  set(c "#include \"base/embed.h\"\n\n${externs}\nconst SlbEmbed slb_embed[] = {\n${table}    {0},\n};\n")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embed.S CONTENT "${asm}" @ONLY)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embed.c CONTENT "${c}" @ONLY)
  set_source_files_properties(${CMAKE_BINARY_DIR}/embed.S PROPERTIES
    OBJECT_DEPENDS "${SLBSR_WEIGHTS};${SLBSR_NETS}")
  set(${out} ${CMAKE_BINARY_DIR}/embed.S ${CMAKE_BINARY_DIR}/embed.c PARENT_SCOPE)
endfunction()
