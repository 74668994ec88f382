#!/usr/bin/env bash
# Makes a Tryton of its own in a folder: SQLite, the module sale_opportunity. Usage: tryton.sh FOLDER PORT; writes FOLDER/desk.json. TRYTON is where its programs are.
set -euo pipefail
folder=$1 port=$2
mkdir -p "$folder/database"
cat > "$folder/trytond.conf" <<CONF
[database]
uri = sqlite://
path = $folder/database
[web]
listen = 127.0.0.1:$port
CONF
: > "$folder/database/crm.sqlite"
printf 'password-of-admin\n' > "$folder/password"
TRYTONPASSFILE=$folder/password "$TRYTON/trytond-admin" -c "$folder/trytond.conf" -d crm -u sale_opportunity --activate-dependencies --email admin@example.test -l en </dev/null
FOLDER=$folder "$TRYTON/python" - <<'PYTHON'
import json, os
from trytond import config
folder = os.environ["FOLDER"]
config.update_etc(f"{folder}/trytond.conf")
from trytond.pool import Pool
from trytond.transaction import Transaction
Pool.start()
pool = Pool("crm")
pool.init()
def made(model, **values):
    record = pool.get(model)(**values)
    record.save()
    return record
with Transaction().start("crm", 1) as transaction:
    euro = made("currency.currency", name="Euro", code="EUR", symbol="EUR")
    company = made("company.company", party=made("party.party", name="Acme"), currency=euro)
    other = made("company.company", party=made("party.party", name="Other"), currency=euro)
    group = lambda module, name: pool.get("res.group")(pool.get("ir.model.data").get_id(module, name))
    reads, works = [group("sale", "group_sale")], [group("sale", "group_sale"), group("sale_opportunity", "group_opportunity"), group("party", "group_party_admin")]
    employees, tokens = {}, {}
    with transaction.set_context(company=company.id):
        for name in ("agent", "alice", "bob", "carol", "reader", "stranger", "outsider"):
            employee = made("company.employee", party=made("party.party", name=name), company=company)
            mine = other if name == "outsider" else company
            groups = {"reader": reads, "outsider": reads, "stranger": []}.get(name, works)
            user = made("res.user", name=name.title(), login=name, companies=[mine], company=mine, groups=groups, employees=[employee] if mine == company else [])
            employees[name] = employee.id
            tokens[name] = made("res.user.application", user=user, application="rest", state="validated").key
        customer = made("party.party", name="Customer")
    values = {"party": customer.id, "company": company.id, "currency": euro.id}
    json.dump({"tokens": tokens, "employees": employees, "values": values}, open(f"{folder}/desk.json", "w"))
PYTHON
