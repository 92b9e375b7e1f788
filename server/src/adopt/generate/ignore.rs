//! A `.dockerignore` that suits every stack: what it names and is not there does no harm.

/// The text of the file.
pub fn text() -> String {
    "\
# What no build needs. Values of your own above all: what is copied stays readable in the image.
.git
.gitignore
.env
.env.*
**/.env
**/.env.*
!**/.env.example
.idea
.vscode
.DS_Store

# What builds and tests leave behind
**/node_modules
**/.next
**/dist
**/coverage
**/__pycache__
**/*.pyc
**/.venv
**/venv
**/.pytest_cache
**/target

# What describes the deployment
Dockerfile*
**/Dockerfile*
compose*.yaml
compose*.yml
docker-compose*.yml
slipway.toml
"
    .to_owned()
}
