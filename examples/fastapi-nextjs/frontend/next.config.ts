import type { NextConfig } from 'next'

const config: NextConfig = {
  // One folder with a server and only the packages it needs: the image copies nothing else.
  output: 'standalone',
  poweredByHeader: false,
}

export default config
