import type { NextConfig } from 'next'

export default {
  output: 'export',
  turbopack: { root: import.meta.dirname },
} satisfies NextConfig
