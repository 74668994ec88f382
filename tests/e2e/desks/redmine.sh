#!/usr/bin/env bash
# Makes a Redmine 5 of its own in a folder: SQLite, no mail. Usage: redmine.sh FOLDER; writes FOLDER/desk.json. Debian's Redmine finds it by REDMINE_INSTANCE.
set -euo pipefail
folder=$1
mkdir -p "$folder"/{config,files,log,tmp/cache,public/plugin_assets}
ln -sfnT "$folder" "/var/lib/redmine/$(basename "$folder")"
export REDMINE_INSTANCE=$(basename "$folder") RAILS_ENV=production SCHEMA=/dev/null REDMINE_LANG=en RUBYOPT=-W0 BUNDLE_SILENCE_ROOT_WARNING=1
printf 'production:\n  adapter: sqlite3\n  database: %s/redmine.sqlite3\n  timeout: 10000\n' "$folder" > "$folder/config/database.yml"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$folder/config/secret_key.txt"
cd /usr/share/redmine
bundle check >/dev/null 2>&1 || { rm -f /var/lib/redmine/Gemfile.lock; bundle install --local --quiet; }
bundle exec rake db:migrate
bundle exec rake redmine:load_default_data  # a process of its own: in one with the above stale columns make it fail
cat > "$folder/seed.rb" <<'RUBY'
Setting.rest_api_enabled = '1'; Setting.notified_events = []; Setting.default_language = 'en'; Setting.login_required = '1'
role = Role.givable.first
role.permissions = Redmine::AccessControl.permissions.map(&:name) - [:add_project]; role.issues_visibility = 'all'; role.save!
users = %w(agent alice bob carol reader).map { |name|
  user = User.new(firstname: name, lastname: 'Example', mail: "#{name}@example.test", language: 'en')
  user.login = name; user.password = user.password_confirmation = "password-of-#{name}"; user.mail_notification = 'none'; user.save!; user }
projects = %w(support escalations).map { |name|
  project = Project.new(name: name, identifier: name, is_public: false); project.enabled_module_names = %w(issue_tracking time_tracking)
  project.trackers = Tracker.all.to_a; project.save!
  users.each { |user| member = Member.new(principal: user, project: project); member.roles = [role]; member.save! }; project }
TimeEntryActivity.first || TimeEntryActivity.create!(name: 'Work', is_default: true)
Tracker.all.each { |tracker| IssueStatus.all.each { |old| IssueStatus.all.each { |new|
  WorkflowTransition.find_or_create_by!(tracker_id: tracker.id, role_id: role.id, old_status_id: old.id, new_status_id: new.id) if old != new } } }
named = ->(records) { records.map { |one| [one.name, one.id.to_s] }.to_h }
File.write(ENV['DESK'], JSON.generate(tokens: users.map { |user| [user.login, user.api_key] }.to_h, users: users.map { |user| [user.login, user.id.to_s] }.to_h,
  projects: named.(projects), statuses: named.(IssueStatus.all), trackers: named.(Tracker.all), priorities: named.(IssuePriority.all), activities: named.(TimeEntryActivity.all)))
RUBY
DESK=$folder/desk.json bundle exec ruby bin/rails runner "$folder/seed.rb"
