"""English words that say what a difference between two texts may mean.

Each list is a text of folded words. Apostrophes divide words, so of "isn't" there are "isn" and
"t". In other languages none of this is known, and what would be excused by it is not.
"""

# Name a number.
NUMBER_WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    hundred hundreds thousand thousands million millions billion billions trillion trillions first
    second third fourth fifth sixth seventh eighth ninth tenth half quarter dozen once twice double
    triple single
"""

# Turn a sentence round; "t" does so behind an apostrophe only.
NEGATION_WORDS = """
    without except unless almost nearly allegedly alleged supposedly supposed former formerly false
    falsely fake denied denies deny refused failed fails lack lacks non ex anti few less rarely
    seldom not no never none nobody nothing nowhere neither nor cannot hardly barely t ain aren
    couldn didn doesn don hadn hasn haven isn mustn needn shouldn wasn weren wouldn cant dont doesnt
    didnt isnt wasnt arent werent wont wouldnt couldnt shouldnt hasnt havent
"""

# Stand in the furniture of a page: menus, notices, buttons, credits.
PAGE_WORDS = """
    account accounts ads advertise advertisement advertising alerts app apps archive archives
    article articles blog breaking broadcast browse business button careers categories category
    click comment comments contact continue cookie cookies copyright correspondent correspondents
    coverage daily disclaimer download editing edition editor email entertainment epaper facebook
    faq feed feedback follow forum friend google home inc instagram jobs latest lifestyle link
    linkedin links log login logout mail media menu mobile navigation news newsletter newsletters
    next note online opinion page pages password permission pinterest policy politics popular posted
    powered press previous print privacy published redistributed register related reply report
    reported reporting reproduced republished reserved reuters rights rss search section sections
    share shop sign site sitemap skip sponsored sport sports staff stories story subscribe
    subscription tag tags terms trending tweet twitter updated username video videos weather website
    whatsapp world writer www youtube
"""

# Name a day.
DATE_WORDS = """
    january february march april may june july august september october november december jan feb
    mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday
    sunday mon tue tues wed thu thurs fri sat sun
"""

# Sell news that other papers print, and stand in the first line of it.
AGENCY_WORDS = """
    afp ani ansa ap bernama bloomberg cp dpa efe ians interfax itar kyodo lusa pa pti reuters tass
    upi xinhua
"""

# Are short, or often met, and a letter away from another word: where one of them stands in place of
# another, it may be meant. A word that is none of them is likely to be a misprint of the one it is
# like.
COMMON_WORDS = """
    a i ad ah am an as at be by do eu go he if in is it me my no of oh ok on or so to tv uk up us we
    act add age ago aid air all and any are arm art ask ate bad bag ban bar bat bay bed bet big bit
    box boy bus but buy can car cat cup cut day did die dig dog dry due ear eat egg end eye far fat
    few fit fly for fox fun gas get god got gun guy had has hat her hey him his hit hot how ice ill
    its job joy key kid lab law lay led leg let lie lot low mad man map may men met mix mom mum nor
    not now oil old one our out own pay per put ran raw red rid row run sad sat saw say sea see set
    sex she sir sit six sky son sun tax ten the tie tip too top toy try two use van via war was way
    wed who why win won yes yet you able acts also area arms army away baby back ball band bank base
    bear beat been bell best bill bird blue boat body book born both busy call calm came camp card
    care case cash cast cell chip city club coal coat code cold come cook cool cope copy core cost
    dark data date dead deal dear debt deep desk died diet done door down draw drew drop drug dust
    duty each earn east easy edge else even ever face fact fail fair fall farm fast fate fear feel
    feet fell felt file fill film find fine fire firm fish fled flow food foot form free from fuel
    full fund gain game gave gift girl give glad goal goes gold gone good grew grow hair half hall
    hand hang hard harm hate have head hear heat held hell here hero hers hide high hill hire hold
    hole holy hope host hour huge hung hunt hurt idea into item join jump just keep kept kick kill
    kind king knew know lack lady laid lake land lane last late lead left less lied life lift lime
    line list live load loan lock long look lord lose loss lost lots loud love luck made main make
    male many mark mass meal mean meat meet mile milk mind mine miss mode mood moon more most move
    much must name near neck need nice nose note once ones only onto open oral over pack paid pain
    pair park part pass past path peak pick pink plan play plot plus poor port post pull pure push
    race rail rain rank rare rate read real rest rice rich ride ring rise risk road rock role roll
    roof room root rose rule runs rush safe said sale salt same sand save says seat seed seek seem
    seen self sell send sent ship shot show shut sick side size skin slow snow soft soil sold sole
    some song soon sort soul spot star stay step stop such suit sure take tale talk tall tank tape
    task team tell tend tent term test text than that them then they thin this thus till time tiny
    told tone took tool tour town tree trip true turn type unit upon used user vary vast vote wage
    wait wake walk wall want ward warm warn wash wave ways weak wear week well went were west what
    when whom wide wife wild will wind wine wing wise wish with wood word wore work worn yard yeah
    year your cause close could every fight fired great hired horse house human later legal light
    loose lower might month moral mouse mouth never night north other paper power price prize quiet
    quite right sight south taken there these those three tight token tower treat usual water where
    while white whole whose woman women would write wrote accept affect county effect except farmer
    father former likely mother public rather should though because brother country eastern thought
    through western
"""
