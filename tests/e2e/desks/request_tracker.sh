#!/usr/bin/env bash
# Makes a Request Tracker 5 of its own in a folder: SQLite, no mail, nothing of /etc. Usage: request_tracker.sh FOLDER PORT; writes FOLDER/desk.json.
set -euo pipefail
folder=$1 port=$2
export RT_SITE_CONFIG=$folder/RT_SiteConfig.pm RT_SITE_CONFIG_DIR=$folder/conf.d
mkdir -p "$folder/conf.d" "$folder/mason" "$folder/session"
cat > "$RT_SITE_CONFIG" <<PM
Set(\$rtname, 'example.test'); Set(\$Organization, 'example.test');
Set(\$WebDomain, '127.0.0.1'); Set(\$WebPort, $port); Set(\$WebBaseURL, 'http://127.0.0.1:$port'); Set(\$WebPath, '');
Set(\$Timezone, 'UTC');
Set(\$DatabaseType, 'SQLite'); Set(\$DatabaseName, '$folder/rt.sqlite3'); Set(\$DatabaseUser, ''); Set(\$DatabasePassword, '');
Set(\$LogToSyslog, undef); Set(\$LogToSTDERR, 'warning'); Set(\$LogToFile, undef);
Set(\$MailCommand, 'testfile');
Set(\$WebSecureCookies, 0);
# tokens are hashed: at the default cost each request would take a third of a second
Set(\$BcryptCost, 4);
\$RT::MasonDataDir = '$folder/mason'; \$RT::MasonSessionDir = '$folder/session'; \$RT::VarPath = '$folder';
1;
PM
printf 'root-password-1\n' > "$folder/root"
/usr/sbin/rt-setup-database-5 --action init --skip-create --root-password-file "$folder/root" </dev/null
DESK=$folder/desk.json perl -I/usr/share/request-tracker5/lib - <<'PERL'
use strict; use warnings; use RT -init; use RT::AuthToken; use JSON;
my $system = RT->SystemUser;
sub made { my ($id, $message) = @_; die "failed: " . ($message // '') unless $id; $id }
my %tokens;
for my $name ('agent', 'alice', 'bob', 'carol', 'reader') {
  my $user = RT::User->new($system);
  made($user->Create(Name => $name, EmailAddress => "$name\@example.test", Privileged => 1, Password => "password-of-$name"));
  my ($id, $message, $token) = RT::AuthToken->new($system)->Create(Owner => $user->Id, Description => 'test');
  $tokens{$name} = $token; made($id, $message);
}
my %queues;
for my $name ('Support', 'Escalations', 'Refunds') {
  my $queue = RT::Queue->new($system);
  made($queue->Create(Name => $name)); $queues{$name} = $queue;
}
my $approvals = RT::Queue->new($system); $approvals->Load('___Approvals');
my $staff = RT::Group->new($system); $staff->LoadSystemInternalGroup('Privileged');
my @rights = qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket OwnTicket TakeTicket StealTicket ReassignTicket ModifyTicket DeleteTicket SeeCustomField ModifyCustomField);
for my $queue (values %queues, $approvals) { made($staff->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for @rights }
my $tone = RT::CustomField->new($system);
made($tone->Create(Name => 'Tone of voice', Type => 'FreeformSingle', LookupType => RT::Ticket->CustomFieldLookupType)); made($tone->AddToObject($queues{Support}));
my $template = RT::Template->new($system);
made($template->Create(Queue => $queues{Refunds}->Id, Name => 'Approval', Type => 'Perl', Content => join("\n", '===Create-Ticket: approval', 'Queue: ___Approvals',
  'Type: approval', 'Subject: Approve', 'Owner: carol', 'Depended-On-By: TOP', 'Content: Please approve', 'ENDOFCONTENT', '')));
made(RT::Scrip->new($system)->Create(Queue => $queues{Refunds}->Id, ScripCondition => 'On Create', ScripAction => 'Create Tickets', Template => 'Approval'));
open my $file, '>', $ENV{DESK} or die; print $file encode_json({tokens => \%tokens, queues => {map { $_ => $queues{$_}->Id . '' } keys %queues}}); close $file;
PERL
