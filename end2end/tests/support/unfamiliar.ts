import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A folder as people have it before they hear of Slipway: FastAPI and Next.js, nothing for Kubernetes. */
export function unfamiliarFolder(folder: string): string {
  const root = join(folder, 'shop')
  const files: Record<string, string> = {
    'backend/requirements.txt': 'fastapi==0.115.0\nuvicorn==0.34.0\npsycopg==3.2.0\n',
    'backend/app/main.py':
      'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/health")\ndef health():\n    return {}\n\n\n@app.get("/ready")\ndef ready():\n    return {}\n',
    'backend/.env': 'DATABASE_URL=postgres://ada:hunter2-of-ada@db/shop\nJWT_SECRET=hunter2-of-ada-too\n',
    '.env.example': '# From the dashboard of the database\nDATABASE_URL=\nOPENAI_API_KEY=\nLOG_LEVEL=info\n',
    'frontend/package.json': JSON.stringify({
      name: 'frontend',
      scripts: { build: 'next build', start: 'next start' },
      dependencies: { next: '15.0.0', react: '19.0.0' },
    }),
    'frontend/package-lock.json': '{"lockfileVersion": 3}',
    'frontend/app/page.tsx': 'export default () => null\n',
    'compose.yaml': 'services:\n  db:\n    image: postgres:16\n',
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}
